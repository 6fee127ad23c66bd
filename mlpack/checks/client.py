"""A small HTTP client for a running service: one connection, JSON bodies."""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

MOST_BYTES = 256 * 1024**2  # of one response, headers included


class Unanswered(Exception):  # noqa: N818 - a fact about the service, not an error of mlpack
    """No HTTP response: the connection was refused, reset or timed out, or the response is not HTTP or too long."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response: status, body as text and as bytes, headers by lower-case name."""

    status: int
    text: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body as JSON; raises ValueError."""
        return json.loads(self.text)


class Client:
    """A client of one service, and a context manager that closes the connection. It reconnects when necessary.

    `headers` are sent with every request, for example for authentication. A response must end within `timeout_s` and
    MOST_BYTES, however it comes.
    """

    def __init__(self, url: str, *, timeout_s: float = 60, headers: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._headers = dict(headers or {})
        self._base_path = urlsplit(url).path.rstrip("/")
        self._connection = _connection(url, timeout_s)

    def __enter__(self) -> Client:  # noqa: PYI034 - Self is newer than our oldest Python
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def another(self) -> Client:
        """Another client of the same service, with a connection of its own."""
        return Client(self._url, timeout_s=self._timeout_s, headers=self._headers)

    def get(self, path: str) -> Answer:
        """GET; raises Unanswered."""
        return self.request("GET", path)

    def post(self, path: str, body: Any) -> Answer:
        """POST a value as JSON; raises Unanswered."""
        return self.post_raw(path, json.dumps(body).encode())

    def post_raw(self, path: str, body: bytes, *, content_type: str = "application/json") -> Answer:
        """POST bytes; raises Unanswered."""
        return self.request("POST", path, body, {"Content-Type": content_type})

    def post_without_body(self, path: str, size: int) -> Answer:
        """POST the headers of a body of `size` bytes, and read the response without sending the body."""
        headers = {"Content-Type": "application/json", "Content-Length": str(size)}
        try:
            return self.request("POST", path, None, headers)
        finally:
            self._connection.close()

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send any request; raises Unanswered."""
        try:
            if self._connection.sock is not None:
                self._connection.sock.settimeout(self._timeout_s)
            self._connection.request(
                method, self._base_path + path, body=body, headers={**self._headers, **(headers or {})}
            )
            response = self._connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise Unanswered(f"{method} {path}: {type(error).__name__} {error}".rstrip()) from error
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status=response.status, text=data.decode("utf-8", "replace"), body=data, headers=fields)


class _BoundedReader(io.RawIOBase):
    """What a socket receives, up to a moment and a number of bytes. Raises TimeoutError, HTTPException."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)  # it keeps the socket open after `Connection: close`
        self._ends = time.monotonic() + (sock.gettimeout() or 0)
        self._left = MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        remaining = self._ends - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the response did not end in time")
        if self._left <= 0:
            raise http.client.HTTPException(f"the response has more than {MOST_BYTES // 1024**2} MiB")
        self._sock.settimeout(remaining)
        count = self._file.readinto(buffer)
        self._left -= count or 0
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """A response that is read through a _BoundedReader."""

    def __init__(self, sock: socket.socket, *words: Any, **named: Any) -> None:
        super().__init__(sock, *words, **named)
        self.fp.close()
        self.fp = io.BufferedReader(_BoundedReader(sock))


def _connection(url: str, timeout_s: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    if parts.scheme == "https":
        context = ssl.create_default_context()
        found: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, parts.port, timeout=timeout_s, context=context
        )
    else:
        found = http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
    found.response_class = _Response
    return found
