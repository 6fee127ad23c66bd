"""Bounded readers of general encodings: JSON, UBJSON, YAML, protocol buffers, FlatBuffers, .npy, safetensors."""
