"""What a client of the runtime may rely on, asked of real server processes."""
