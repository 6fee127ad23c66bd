"""Targets: what can be tried without a service."""
