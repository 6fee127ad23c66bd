"""The version of mlpack, written once."""

__version__ = "0.1.0"
