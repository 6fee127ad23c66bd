"""HTTP/1.1 requests from a client's bytes: Parser reports each head, each piece of a body and each end, within limits.

No byte is changed or left out on its way to the C parser: it alone decides where a request begins and ends.
"""

from __future__ import annotations

from typing import Dict, Protocol, Tuple, Union
from urllib.parse import unquote

import httptools

from .messages import Head

MOST_HEAD = 64 * 1024  # bytes of a request that are no body: its line, headers, chunk sizes and extensions, trailers
_A_HEADER = 32  # bytes that a header takes beside its text
_A_CHUNK = 16  # bytes around a chunk that do not count: a client may send many small chunks
_MOST_DIGITS = 18  # of a length, which may begin with zeros
_FRAMING = (b"content-length", b"transfer-encoding")


class RefusedError(Exception):
    """The bytes are no request that this server reads; nothing after them is read either."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Sink(Protocol):
    """Where the requests are reported."""

    def first_byte(self) -> None:
        """A request begins."""

    def head(self, head: Head, size: int, *, keep_alive: bool) -> None:
        """Its head, of `size` bytes, has come."""

    def piece(self, body: bytes) -> None:
        """A piece of its body has come."""

    def end(self) -> None:
        """It has come as a whole."""


class Parser:
    """Reads one connection. The C parser calls the `on_` methods."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._http = httptools.HttpRequestParser(self)
        self.in_head = False
        self._url = b""
        self._headers: Dict[bytes, bytes] = {}
        self._size = 0  # of the head and the trailers that have been read
        self._beside = 0  # bytes that are no body, since the end of the last request
        self._status = 0  # with which a callback refuses the request
        self._framing = b""  # of a request that offers another protocol, until its body is read

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            RefusedError: it is not HTTP, or there is too much of it. Requests that were whole before that have been reported.
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
        """One header, or a trailer, which is ignored."""
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
                self._refuse(400)  # a proxy before us may take the length from the other header (request smuggling)
            if headers[b"transfer-encoding"].lower() != b"chunked":
                self._refuse(501)
        keep_alive = http.should_keep_alive()
        if http.should_upgrade():
            if method == "CONNECT":
                self._refuse(501)
            said = b"".join(b"%b: %b\r\n" % (name, headers[name]) for name in _FRAMING if name in headers)
            if said:
                self._framing = b"POST / HTTP/1.1\r\n%b%b\r\n" % (b"" if keep_alive else b"connection: close\r\n", said)
        path, query = _target(self._url)
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
        """Stop the C parser, which reports of an exception only that there was one."""
        self._status = status
        raise RefusedError(status)


def _target(url: bytes) -> Tuple[str, bytes]:
    """The path of a request's target, decoded, and the query as it is."""
    if not url.startswith(b"/"):  # absolute-form, `*`, or nothing that has a path
        try:
            parsed = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError:
            return url.decode("latin-1"), b""
        url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
    path, _, query = url.partition(b"?")
    text = path.decode("latin-1")
    return (unquote(text) if "%" in text else text), query
