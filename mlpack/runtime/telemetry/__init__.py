"""Logs, metrics and the memory of the process."""
