"""Ensembles: one endpoint over several models, each of which is a service of its own."""
