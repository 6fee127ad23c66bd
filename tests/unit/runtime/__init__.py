"""The runtime's parts, one by one."""
