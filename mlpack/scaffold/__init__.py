"""Files that `mlpack init` writes for the user to edit: mlpack.yaml, predict.py, CI workflows."""
