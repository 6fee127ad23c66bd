"""Ports for servers that a test starts itself."""

from __future__ import annotations

import os
import random
import socket

# Below the ports that systems give to clients and to listeners without a wish, and above those of the tests' engine:
# between the choice and the server's start nothing else on the machine is given such a port.
PORTS = range(20_000, 32_000)
# Tests that run in several workers at once choose from different ports (eight workers, then the ports are shared).
SHARES = 8
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def free_port() -> int:
    """A port that nobody listens on, and that nobody gets by chance."""
    while True:
        port = random.choice(PORTS[WORKER % SHARES :: SHARES])
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
