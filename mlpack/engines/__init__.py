"""Engines build, run and publish images."""
