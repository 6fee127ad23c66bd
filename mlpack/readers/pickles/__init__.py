"""Pickles as data: the opcode walk, joblib files, numpy arrays, and what they hold."""
