"""The model in the server: loading it, the thread that runs it, adaptive batching."""
