"""The steps of the line: each takes one value and returns the next."""
