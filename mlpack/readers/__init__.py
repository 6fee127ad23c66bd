"""Bytes as data: readers that never run what they read, bounded in depth and size."""
