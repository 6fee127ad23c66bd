"""The bytes of a client, read as HTTP/1.1: Parser hands on each head, each piece of a body and each end, and bounds the rest.

No byte is ever changed or taken out on its way to the parser: where a request begins and ends is what the parser says.
"""

from __future__ import annotations

from typing import Dict, Protocol, Union

import httptools

from .messages import Head
from .target import target_of

MOST_HEAD = 64 * 1024  # bytes of a request that are no body: its line, headers, chunk sizes and extensions, trailers
_A_HEADER = 32  # what a header costs beside its text
_A_CHUNK = 16  # bytes around a chunk that count for nothing: who sends many small ones sends no more than he must
_MOST_DIGITS = 18  # of a length, which may begin with zeros
_FRAMING = (b"content-length", b"transfer-encoding")


class RefusedError(Exception):
    """What came is no request that this server reads; nothing behind it is read either."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Sink(Protocol):
    """Who is given the requests."""

    def first_byte(self) -> None:
        """A request begins."""

    def head(self, head: Head, size: int, *, keep_alive: bool) -> None:
        """Its head, of `size` bytes, has come."""

    def piece(self, body: bytes) -> None:
        """A piece of its body has come."""

    def end(self) -> None:
        """It has come as a whole."""


class Parser:
    """Reads one connection. The `on_` methods are what the C parser calls."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._http = httptools.HttpRequestParser(self)
        self.in_head = False
        self._url = b""
        self._headers: Dict[bytes, bytes] = {}
        self._size = 0  # of the head and the trailers that have been read
        self._beside = 0  # bytes since the end of the last request that are no body
        self._status = 0  # what a callback refuses with
        self._framing = b""  # of a request that offers another protocol, until its body is read

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            RefusedError: it is not HTTP, or there is too much of it. What was whole before has been handed on.
        """
        self._beside += len(data)
        try:
            self._read(data)
        except httptools.HttpParserError as error:
            raise RefusedError(self._status or 400) from error
        if self._beside > MOST_HEAD:
            raise RefusedError(431)
        self._beside = max(self._beside, 0)

    def _read(self, data: Union[bytes, memoryview]) -> None:
        """Give it to the C parser, which stops behind the head of a request that offers another protocol (`Upgrade:`).

        A server may pass over the offer (RFC 9110, 7.8), and Java's HTTP client makes it with every first request. The body
        of such a request is read by a new parser that has been given a head of the same framing and nothing else.
        """
        while True:
            try:
                self._http.feed_data(data)
            except httptools.HttpParserUpgrade as offer:  # noqa: PERF203 - as often as there are offers
                data = memoryview(data)[offer.args[0] :]
                if self._framing:
                    self._http = httptools.HttpRequestParser(self)
                    self._http.feed_data(self._framing)
            else:
                return

    def on_message_begin(self) -> None:
        """A request begins."""
        self._url = b""
        self._headers = {}
        self._size = 0
        self.in_head = True
        self._sink.first_byte()

    def on_url(self, url: bytes) -> None:
        """(A part of) its target."""
        self._url += url
        self._size += len(url)
        if self._size > MOST_HEAD:
            self._refuse(431)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or a trailer, which is read and forgotten."""
        self._size = size = self._size + len(name) + len(value) + _A_HEADER
        if size > MOST_HEAD:
            self._refuse(431)
        if self.in_head:
            name, headers = name.lower(), self._headers
            if name in headers and name in _FRAMING:
                self._refuse(400)
            headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.in_head = False
        if self._framing:  # that head is ours, see above
            self._framing = b""
            return
        http, headers = self._http, self._headers
        method, version = http.get_method().decode("ascii"), http.get_http_version()
        if version not in ("1.1", "1.0"):
            self._refuse(505)
        if len(headers.get(b"content-length", b"")) > _MOST_DIGITS:
            self._refuse(400)
        if b"transfer-encoding" in headers:
            if b"content-length" in headers or version == "1.0":
                self._refuse(400)  # whoever is between the client and us may take its length from the other header
            if headers[b"transfer-encoding"].lower() != b"chunked":
                self._refuse(501)
        keep_alive = http.should_keep_alive()
        if http.should_upgrade():
            if method == "CONNECT":
                self._refuse(501)
            said = b"".join(b"%b: %b\r\n" % (name, headers[name]) for name in _FRAMING if name in headers)
            if said:
                self._framing = b"POST / HTTP/1.1\r\n%b%b\r\n" % (b"" if keep_alive else b"connection: close\r\n", said)
        path, query = target_of(self._url)
        expects = b"expect" in headers and headers[b"expect"].lower() == b"100-continue"
        self._sink.head(Head(method, path, query, headers, version, expects), self._size, keep_alive=keep_alive)

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._beside -= _A_CHUNK

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._beside -= len(body)
        self._sink.piece(body)

    def on_message_complete(self) -> None:
        """The request is whole, or will be once the body behind an offer has come."""
        if not self._framing:
            self._beside = 0
            self._sink.end()

    def _refuse(self, status: int) -> None:
        """Stop the C parser, which knows of any exception only that there was one."""
        self._status = status
        raise RefusedError(status)
