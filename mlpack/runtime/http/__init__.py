"""HTTP/1.1: connections, parsing, routing, limits and deadlines."""
