"""A company's proxy made small: CONNECT tunnels for whoever knows the password, and a list of who went where."""

from __future__ import annotations

import base64
import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class ConnectProxy(ThreadingHTTPServer):
    """`url` holds the login; `seen` is each tunnel's client and target, `refused` counts those without the login."""

    daemon_threads = True

    def __init__(self, host: str, login: str) -> None:
        super().__init__((host, 0), _Handler)
        self.login = login
        self.seen: list[tuple[str, str]] = []
        self.refused = 0

    @property
    def url(self) -> str:
        """The address as HTTPS_PROXY holds it."""
        return f"http://{self.login}@{self.server_address[0]!s}:{self.server_address[1]}"


@contextmanager
def connect_proxy(host: str, login: str) -> Iterator[ConnectProxy]:
    """A proxy that listens on `host` for as long as the `with` lasts; `login` is `user:password`."""
    with ConnectProxy(host, login) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: ConnectProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_CONNECT(self) -> None:
        """Open the tunnel, or ask for the password."""
        self.close_connection = True
        wanted = base64.b64encode(self.server.login.encode()).decode()
        if self.headers.get("Proxy-Authorization") != f"Basic {wanted}":
            self.server.refused += 1
            self.send_response(407)
            self.send_header("Proxy-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        host, _, port = self.path.rpartition(":")
        self.server.seen.append((self.client_address[0], self.path))
        try:
            there = socket.create_connection((host.strip("[]"), int(port)), timeout=30)
        except OSError:
            self.send_error(502)
            return
        with there:
            self.send_response_only(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                tunnel(self.connection, there)


def tunnel(one: socket.socket, other: socket.socket) -> None:
    """Hand on what either says until both have ended; what one ends is ended for the other."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(one, selectors.EVENT_READ, other)
        waiting.register(other, selectors.EVENT_READ, one)
        while waiting.get_map():
            for key, _ in waiting.select():
                source = key.fileobj
                assert isinstance(source, socket.socket)
                if data := source.recv(65536):
                    key.data.sendall(data)
                else:
                    waiting.unregister(source)
                    key.data.shutdown(socket.SHUT_WR)
