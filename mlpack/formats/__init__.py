"""What a model is: one folder per format, both halves side by side."""
