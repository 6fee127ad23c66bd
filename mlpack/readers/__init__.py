"""Readers of binary files as data: they run nothing, and their depth, size and time are bounded."""
