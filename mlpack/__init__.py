"""mlpack turns an exported model file into a verified, fast, small, safe container."""
