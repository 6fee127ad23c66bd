"""Oracles, one a kind: what inspection must have listed of all that the real loaders reach."""
