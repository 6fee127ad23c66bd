"""Makers of models with their own frameworks, and what is asked of what they made."""
