"""Packages: where they come from, which fit a target, and how a set of them is locked."""
