"""Sources of models: local files."""
