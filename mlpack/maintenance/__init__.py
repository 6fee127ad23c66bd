"""Maintenance of a machine: removing what mlpack created (clean), and diagnosing problems (doctor)."""
