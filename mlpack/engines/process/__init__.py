"""The process engine: a model served by a process of this machine, without a container."""
