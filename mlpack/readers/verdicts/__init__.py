"""The verdict on a pickle: allowlists, and rules for arguments, states, formulas and included code."""
