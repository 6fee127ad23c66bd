"""The verbs of the line: each takes one value and gives the next."""
