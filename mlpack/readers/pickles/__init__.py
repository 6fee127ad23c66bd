"""Read pickles as data: the opcode walk, joblib files, numpy arrays, and their content."""
