"""The user's own code beside a model: which files it needs, what they define, what is missing."""
