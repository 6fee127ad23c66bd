"""Source packages of an index, whose wheels are built in a stage of their own; on the host they are only read."""
