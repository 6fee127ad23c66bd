"""An engine that dies in the middle of a build: Docker's API on a unix socket, as far as a build gets with it."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

NEWS = json.dumps({"stream": "Step 1/2 : FROM scratch"}).encode() + b"\r\n"


class DyingEngine(socketserver.ThreadingUnixStreamServer):
    """Says `ending` after the first news of a build, and then no more: `cut` cuts a chunk in two, else the answer ends."""

    daemon_threads = True

    def __init__(self, path: Path, ending: bytes) -> None:
        super().__init__(str(path), _Handler)
        self.ending = ending


@contextmanager
def dying_engine(path: Path, ending: bytes = b"") -> Iterator[str]:
    """An engine that listens for as long as the `with` lasts; gives its DOCKER_HOST."""
    with DyingEngine(path, ending) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"unix://{path}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: DyingEngine
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing; a unix socket has no address to say."""

    def do_GET(self) -> None:
        """The engine's version and facts."""
        facts = {"ApiVersion": "1.41", "Version": "20.10.0", "Os": "linux", "Arch": "amd64", "Components": []}
        body = json.dumps(facts | {"NCPU": 2, "DockerRootDir": "/nowhere"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """A build: read the context to its end, tell one thing, die."""
        if not self.path.split("?")[0].endswith("/build"):
            self.send_error(404)
            return
        while size := int(self.rfile.readline(), 16):
            self.rfile.read(size + 2)
        self.rfile.readline()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(f"{len(NEWS):x}\r\n".encode() + NEWS + b"\r\n" + self.server.ending)
        self.close_connection = True
