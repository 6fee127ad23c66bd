"""What a container reaches beside itself: the services whose addresses are in its variables, and the metadata server.

A service's address is a port on the loopback of this machine; a container has a loopback of its own. So the same port is opened
there, in the container's network namespace, and leads to the service's front door. That needs root and an engine on this machine.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import socket
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer, ThreadingTCPServer

from tests.standins.connect_proxy import tunnel

from .conditions import Failure
from .identity import Identity
from .json_door import Asked
from .metadata import Metadata

METADATA_PORT = 80
_NETWORK = 0x40000000  # CLONE_NEWNET
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


class Inside:
    """The ports that are open inside containers, by container."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._servers: dict[str, list[TCPServer]] = {}

    def open(self, container: str, process: int, environment: Mapping[str, str], account: str) -> None:
        """Open what the variables name, and the metadata server, which knows the container as `account`; Failure: why not."""
        ports = sorted({int(found[1]) for value in environment.values() if (found := _ADDRESS.fullmatch(value))})
        if not ports:
            return
        *doors, metadata = _listening(process, [*ports, METADATA_PORT])
        servers: list[TCPServer] = [_Relay(door, port) for door, port in zip(doors, ports, strict=True)]
        servers.append(_MetadataServer(metadata, Metadata(self._identity, account)))
        self._servers[container] = servers
        for server in servers:
            threading.Thread(
                target=server.serve_forever, args=(0.05,), daemon=True, name=f"in {container[:12]}"
            ).start()

    def close(self, container: str) -> None:
        """Close them; the container ends."""
        for server in self._servers.pop(container, ()):
            server.shutdown()
            server.server_close()


class _Relay(ThreadingTCPServer):
    """Leads from a port in a container to the same one on this machine."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, door: socket.socket, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Connection, bind_and_activate=False)
        self.socket.close()
        self.socket = door
        self.port = port

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _Connection(BaseRequestHandler):
    server: _Relay

    def handle(self) -> None:
        """Pass bytes in both directions until one side ends."""
        with socket.create_connection(("127.0.0.1", self.server.port)) as behind:
            tunnel(self.request, behind)


class _MetadataServer(ThreadingHTTPServer):
    """The metadata server as one container sees it."""

    daemon_threads = True

    def __init__(self, door: socket.socket, metadata: Metadata) -> None:
        super().__init__(("127.0.0.1", METADATA_PORT), _MetadataRequest, bind_and_activate=False)
        self.socket.close()
        self.socket = door
        self.metadata = metadata

    def handle_error(self, *_: object) -> None:
        """A client that went away is no news."""


class _MetadataRequest(BaseHTTPRequestHandler):
    server: _MetadataServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """A value by its path."""
        status, answer = self.server.metadata.answer(Asked("GET", self.path, self.headers, b"")) or (403, "")
        content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Metadata-Flavor", "Google")
        self.end_headers()
        self.wfile.write(content)


def _listening(process: int, ports: Sequence[int]) -> list[socket.socket]:
    """Sockets that listen on ports of a process's own loopback. A socket stays in the namespace in which it was made."""
    made: list[socket.socket] = []
    problems: list[OSError] = []

    def work() -> None:  # in a thread of its own, which alone changes its namespace
        try:
            _enter(process)
            made.extend(socket.create_server(("127.0.0.1", port), backlog=128) for port in ports)
        except OSError as error:
            problems.append(error)

    thread = threading.Thread(target=work, name="inside")
    thread.start()
    thread.join()
    if problems:
        for each in made:
            each.close()
        raise Failure(
            f"the stand-in cannot open ports inside the container (is it root, with a local engine?): {problems[0]}"
        )
    return made


def _enter(process: int) -> None:
    """Move this thread into the network namespace of a process; raises OSError."""
    with Path(f"/proc/{process}/ns/net").open("rb") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _NETWORK):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
