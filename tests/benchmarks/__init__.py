"""Benchmarks: both sides of each comparison measured in the same run, on the same path."""
