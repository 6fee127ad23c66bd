"""Which file in a folder or archive is the model, and what an unknown file is."""
