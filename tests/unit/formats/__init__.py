"""Tests of the model formats."""
