"""Zip and tar archives as data."""
