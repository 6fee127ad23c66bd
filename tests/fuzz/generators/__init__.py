"""Generators of inputs, one module a kind: the same random numbers give the same bytes."""
