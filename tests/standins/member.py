"""A member of an ensemble as a small V2 service of the test's own, which answers, fails or hangs as it is told."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler", int], None]  # answers a request for so many rows


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body go in one packet, so that no response waits for an acknowledgement
    server: Member
    binary = False

    def do_GET(self) -> None:
        """Health, or the document of this path."""
        self.reply(200 if self.server.healthy else 503, json.dumps(self.server.documents.get(self.path, {})).encode())

    def do_POST(self) -> None:
        """A prediction."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = body[: int(self.headers.get("Inference-Header-Content-Length") or len(body))]
        document = json.loads(head)
        rows = int(document["inputs"][0]["shape"][0])
        self.binary = bool(document.get("parameters", {}).get("binary_data_output"))
        self.server.requests.append({"rows": rows, **{name.lower(): value for name, value in self.headers.items()}})
        with suppress(OSError):
            self.server.behaviour(self, rows)

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Send a response."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def say(self, data: bytes) -> None:
        """Send bytes and close the connection."""
        self.wfile.write(data)
        self.close_connection = True

    def tensor(self, name: str, shape: list[int], values: list[float]) -> None:
        """Answer with one output of FP64, in binary where the request asks for it."""
        output: dict[str, Any]
        if not self.binary:
            output = {"name": name, "datatype": "FP64", "shape": shape, "data": values}
            self.reply(200, json.dumps({"outputs": [output]}).encode(), {"Content-Type": "application/json"})
            return
        data = struct.pack(f"<{len(values)}d", *values)
        output = {"name": name, "datatype": "FP64", "shape": shape, "parameters": {"binary_data_size": len(data)}}
        head = json.dumps({"outputs": [output]}).encode()
        self.reply(200, head + data, {"Inference-Header-Content-Length": str(len(head))})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is that of the library
        """Write no log."""


class Member(ThreadingHTTPServer):
    """The service; `behaviour` and `healthy` may be changed while it runs. `requests` are the headers of what came.

    `documents` are the answers to GET, by path.
    """

    daemon_threads = True

    def __init__(
        self,
        behaviour: Behaviour,
        address: tuple[str, int] = ("127.0.0.1", 0),
        documents: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(address, Handler)
        self.behaviour = behaviour
        self.documents = documents or {}
        self.healthy = True
        self.requests: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


def constant(*values: float) -> Behaviour:
    """Answer the same probabilities for each row."""

    def behave(handler: Handler, rows: int) -> None:
        handler.tensor("predict_proba", [rows, len(values)], list(values) * rows)

    return behave


def slow(seconds: float, behaviour: Behaviour) -> Behaviour:
    """Answer after a while."""

    def behave(handler: Handler, rows: int) -> None:
        time.sleep(seconds)
        behaviour(handler, rows)

    return behave


@contextmanager
def member(behaviour: Behaviour) -> Iterator[Member]:
    """A running service."""
    with Member(behaviour) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)
