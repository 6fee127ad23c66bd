"""The values of the line: immutable, taken and returned by its steps."""
