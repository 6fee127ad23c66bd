"""The real loaders, each in a sandboxed process that records what they reach; nothing here imports mlpack."""
