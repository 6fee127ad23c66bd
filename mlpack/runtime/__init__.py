"""The cellar: the serving runtime, which ships into the image as plain files and imports nothing of mlpack but itself."""
