"""Differential fuzzing: generated files are read by inspection and by the real loaders, and both must see the same."""
