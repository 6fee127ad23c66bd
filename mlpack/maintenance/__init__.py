"""What mlpack leaves on a machine, and whether the machine has what mlpack needs."""
