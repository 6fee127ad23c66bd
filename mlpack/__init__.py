"""mlpack turns an exported model file into a tested container image and deploys it as an HTTP service."""
