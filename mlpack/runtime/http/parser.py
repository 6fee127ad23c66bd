"""HTTP/1.1 requests from a client's bytes: Parser reports each head, each piece of a body and each end, within limits.

No byte is changed or left out on its way to the C parser: it alone decides where a request begins and ends.
"""

from __future__ import annotations

import re
from typing import Dict, Protocol, Tuple, Union
from urllib.parse import unquote

import httptools

from ..errors import RequestError, ServeError
from .messages import Head

MOST_HEAD = 64 * 1024  # bytes of a request that are no body: its line, headers, chunk sizes and extensions, trailers
_A_HEADER = 32  # bytes that a header takes beside its text
_A_CHUNK = 16  # bytes around a chunk that do not count: a client may send many small chunks
_MOST_DIGITS = 18  # of a length, which may begin with zeros
_FRAMING = (b"content-length", b"transfer-encoding")


_REQUEST_LINE = re.compile(rb"[A-Z_-]{1,64} \S+ HTTP/1\.[01]\r\n")


class RefusedError(RequestError):
    """The bytes are no request that this server reads; nothing after them is read either. `status` is that of the response."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
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
        self._first = True  # no request before has ended in the bytes that are being read
        self._framing = b""  # of a request that offers another protocol, until its body is read

    def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            ServeError: it is not HTTP, or there is too much of it. Requests that were whole before that have been reported.
        """
        self._beside += len(data)
        self._first = True
        try:
            self._read(data)
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, ServeError):  # a callback refused it
                raise error.__context__ from None
            raise _refusal(data if self._first else b"", error) from error
        if self._beside > MOST_HEAD:
            raise _too_large()
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
            raise _too_large()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header, or a trailer, which is ignored."""
        self._size = size = self._size + len(name) + len(value) + _A_HEADER
        if size > MOST_HEAD:
            raise _too_large()
        if self.in_head:
            name, headers = name.lower(), self._headers
            if name in headers and name in _FRAMING:
                raise RefusedError(f"the header {name.decode('ascii')} occurs twice")
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
            raise RefusedError("this server reads HTTP/1.1 and HTTP/1.0", status=505)
        if len(headers.get(b"content-length", b"")) > _MOST_DIGITS:
            raise RefusedError(f"the content-length has more than {_MOST_DIGITS} digits")
        if b"transfer-encoding" in headers:
            if b"content-length" in headers or version == "1.0":
                # a proxy before us may take the length from the other header (request smuggling)
                raise RefusedError("transfer-encoding is not allowed beside content-length, or in HTTP/1.0")
            if headers[b"transfer-encoding"].lower() != b"chunked":
                raise RefusedError("the only transfer-encoding that this server reads is chunked", status=501)
        keep_alive = http.should_keep_alive()
        if http.should_upgrade():
            if method == "CONNECT":
                raise RefusedError("this server is no proxy: it has no method CONNECT", status=501)
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
            self._first = False
            self._sink.end()


def _too_large() -> RefusedError:
    return RefusedError(f"the request line and the headers are larger than {MOST_HEAD} bytes", status=431)


def _refusal(data: bytes, error: httptools.HttpParserError) -> RefusedError:
    """The refusal of bytes that the C parser does not read; 501 for a line with an unknown method (RFC 9110, 9.1)."""
    if isinstance(error, httptools.HttpParserInvalidMethodError) and _REQUEST_LINE.match(data):
        method = data.partition(b" ")[0].decode("ascii")
        return RefusedError(f"unknown HTTP method {method}; this server answers GET, HEAD and POST", status=501)
    return RefusedError("the bytes are no valid HTTP/1.1 request")


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
