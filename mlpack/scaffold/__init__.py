"""Files that mlpack writes for the user to edit: mlpack.yaml, predict.py, CI workflows."""
