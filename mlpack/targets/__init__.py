"""Where a service lives: one file or folder per target."""
