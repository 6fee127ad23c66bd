"""Where a model comes from: files of this machine."""
