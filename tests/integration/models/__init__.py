"""Programs that make and ask models, run by the Python of an environment of their own; they import nothing of ours."""
