"""The serving runtime: copied into the image as plain files, it imports nothing of mlpack but itself."""
