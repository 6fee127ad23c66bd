"""Checks of a running service: smoke checks, serving contracts, golden requests, comparison of answers."""
