"""Values on the wire (JSON, CSV, .npy, binary tensors) to arrays and back."""
