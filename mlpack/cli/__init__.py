"""The mouth: one file per command; the only room that wires things together."""
