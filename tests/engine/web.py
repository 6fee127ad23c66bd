"""HTTP by the standard library alone, to a loopback port or a unix socket, past every proxy."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection through a unix socket."""

    def __init__(self, path: Path | str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = str(path)

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def status(connection: http.client.HTTPConnection, path: str) -> int | None:
    """Give the status of a GET, or None where nobody answers."""
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def engine_answers(path: Path | str) -> bool:
    """Tell whether a docker engine answers at a unix socket."""
    return status(UnixConnection(path, timeout=10), "/_ping") == http.client.OK


def listens(path: Path) -> bool:
    """Tell whether anybody listens at a unix socket; a file alone may be left over."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def loopback(port: int, timeout: float = 10) -> http.client.HTTPConnection:
    """Give a connection to a port of this machine."""
    return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
