"""Ensembles: several models behind one endpoint, each a service of its own, and a coordinator that combines their answers."""
