"""The parts together, with a real container engine and a real registry."""
