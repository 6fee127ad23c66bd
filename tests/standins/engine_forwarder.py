"""An engine by TCP: a port on loopback that leads to its socket, and that can be made to hang in the middle."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer


class EngineForwarder(ThreadingTCPServer):
    """`url` is a DOCKER_HOST. With `limit`, a connection that sent that many bytes hangs, and `hung` is set."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, path: str, limit: int | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.path = path
        self.limit = limit
        self.connections = 0
        self.hung, self.ended = threading.Event(), threading.Event()

    @property
    def url(self) -> str:
        """The address as DOCKER_HOST holds it."""
        return f"tcp://127.0.0.1:{self.server_address[1]}"


@contextmanager
def engine_forwarder(path: str, limit: int | None = None) -> Iterator[EngineForwarder]:
    """A forwarder to the unix socket at `path` for as long as the `with` lasts."""
    with EngineForwarder(path, limit) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


class _Handler(BaseRequestHandler):
    server: EngineForwarder

    def handle(self) -> None:
        """Hand on what either says; an end or a hang-up of one is the other's."""
        self.server.connections += 1
        sent = 0
        with socket.socket(socket.AF_UNIX) as engine, selectors.DefaultSelector() as waiting:
            engine.connect(self.server.path)
            waiting.register(self.request, selectors.EVENT_READ, engine)
            waiting.register(engine, selectors.EVENT_READ, self.request)
            with contextlib.suppress(OSError):
                while waiting.get_map():
                    for key, _ in waiting.select():
                        source = key.fileobj
                        assert isinstance(source, socket.socket)
                        if not (data := source.recv(65536)):
                            return
                        key.data.sendall(data)
                        if source is self.request:
                            sent += len(data)
                            if self.server.limit is not None and sent > self.server.limit:
                                waiting.unregister(source)  # takes no more of it
                                self.server.limit = None  # this once
                                self.server.hung.set()
                                self.server.ended.wait()
                                return
