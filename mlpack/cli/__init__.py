"""The command line: one file per command in commands/, their output in output/, and wiring.py, which builds the line."""
