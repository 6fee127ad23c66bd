"""The test machine's own engine: a docker engine and two registries, made where none answers."""
