"""One client's connection: Connection reads HTTP/1.1 requests and lets the application answer them, one after the other."""

from __future__ import annotations

import asyncio
import http
import os
import socket
import struct
from collections import deque
from typing import Any, Deque, Optional

from ..errors import BodiesFullError, ClientGoneError, RequestError, ServeError, SlowBodyError
from .body_budget import EXCHANGE_SIZE, HEADS_RESERVE
from .exchange import Exchange, Serving
from .messages import Head, Request
from .parser import Parser

_MOST_QUEUED = 16  # requests that a client may send ahead of their answers
_MOST_REMEMBERED = 4096  # bytes of a head that is remembered
_HEAD_S = 20.0  # from a request's first byte to the end of its headers
_IDLE_S = 620.0  # longer than load balancers keep idle connections, so that they close first
_NO_HEAD = Head("-", "", b"", {}, "", expects=False)
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: closing sends RST
_NO_ROOM = "the requests of other clients take all the memory for bodies; try again in a moment"
_STUCK_S = 60.0  # without progress of a client that reads its response
# after a response to a body that has not come whole: closing at once could destroy the response on its way
_LINGER_S = 2.0


class Connection(asyncio.Protocol):
    """Parses requests, answers them in order, and closes on clients that are too slow. All connections share `serving`."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._parser = Parser(self)
        self._transport: Any = None
        self._queued: Deque[Exchange] = deque()
        self._head = _NO_HEAD  # of the last request
        self._head_bytes = b""  # of that head, where it is remembered
        self._body_size = 0  # that it announces; 0 where it is not remembered
        self._incoming: Optional[Exchange] = None  # whose body is arriving
        self._held = 0  # bytes of a head that has not come whole
        self._reading = True
        self._writing = True
        self._drained: Optional[asyncio.Future[None]] = None  # for the one that waits until the client reads again
        self._unsent = 0  # bytes that the client had not taken when last looked at
        self._lingering = False
        self._refusal: Optional[ServeError] = None  # of bytes that are no request; nothing after them is read
        self._since = serving.now  # when the last wait for the client began
        self.exchange: Optional[Exchange] = None  # the request that is being answered

    # from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = transport
        self._serving.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Parse what has come."""
        if self._lingering or self._refusal is not None:
            return
        parser = self._parser
        fresh = self.exchange is None and self._incoming is None and not self._queued and not parser.in_head
        if fresh and self._body_size and self._answer_known_head(data):
            return
        self._body_size = 0
        try:
            parser.feed(data)
        except ServeError as error:
            if not self._has_ended():
                self._refuse(error)
            return
        if self._has_ended():
            return
        if fresh and len(self._queued) == 1 and self._incoming is None:
            self._remember_head(data)
        if self.exchange is None and self._queued:
            self._begin()
        if parser.in_head:
            self._held += len(data)
            self._serving.budget.free -= len(data)
            if self._serving.budget.free + HEADS_RESERVE < 0:
                self._refuse(BodiesFullError(_NO_ROOM))

    def eof_received(self) -> None:
        """The client sends no more: it counts as gone."""

    def connection_lost(self, _error: Optional[Exception]) -> None:
        """The client is gone: end its requests."""
        self._serving.connections.discard(self)
        self._release_head()
        for exchange in (self.exchange, self._incoming, *self._queued):
            if exchange is not None:
                exchange.lose()
        for exchange in self._queued:  # not yet begun
            exchange.request.error = ClientGoneError.code
            self._serving.app.answered(exchange.request, ClientGoneError.status, 0, 0.0)
        self._queued.clear()

    def pause_writing(self) -> None:
        """The client does not read: begin no more of its requests."""
        self._writing = False
        self._since = self._serving.now

    def resume_writing(self) -> None:
        """The client reads again."""
        self._writing = True
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)
        self._begin()

    # from the parser

    def first_byte(self) -> None:
        """A request begins."""
        self._since = self._serving.now

    def head(self, head: Head, size: int, *, keep_alive: bool) -> None:
        """The head is whole; the application begins once all that came with it is parsed."""
        self._release_head()
        size += EXCHANGE_SIZE
        if size > self._serving.budget.free + HEADS_RESERVE:
            raise BodiesFullError(_NO_ROOM)
        self._head = head
        exchange = Exchange(self, self._serving, Request(head), keep_alive=keep_alive, body=None, size=size)
        self._incoming = exchange
        self._queued.append(exchange)
        if len(self._queued) >= _MOST_QUEUED:
            self.pause()

    def piece(self, body: bytes) -> None:
        """A piece of the body."""
        if self._incoming is not None and not self._incoming.answered:
            self._incoming.feed(body)

    def end(self) -> None:
        """The request is whole."""
        exchange, self._incoming = self._incoming, None
        if exchange is not None:
            exchange.end_of_body()

    # from the exchange and the server

    def pause(self) -> None:
        """Read no more for now."""
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send bytes to the client unless the connection is closing."""
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the client has read enough of what was sent."""
        if not self._writing:
            self._drained = self._serving.loop.create_future()
            await self._drained

    def over(self, exchange: Exchange) -> None:
        """The exchange has its response: close, or begin the next."""
        self.exchange = None
        self._since = self._serving.now
        if self._incoming is exchange:  # its body has not come whole, and the rest will not be read
            self._linger()
            return
        if not (exchange.keep_alive and exchange.answered):
            self._transport.close()
            return
        if not self._reading and len(self._queued) < _MOST_QUEUED and self._refusal is None:
            self.resume()
        if self._refusal is not None and not self._queued:
            self._send_refusal(self._refusal)
        elif self._queued:  # not at once: a client that sends many requests in one piece takes turns with others
            self._serving.loop.call_soon(self._begin)

    def abort(self) -> None:
        """Close it at once, without what is still to be sent."""
        self._transport.abort()

    def reset(self) -> None:
        """Close it at once, so that the client sees an error and no regular end."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None and os.name == "posix" and not self._transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def close_if_idle(self, since: float) -> None:
        """Close it unless the client has sent a request, or a part of one, or was active after `since`.

        A client that is active may be sending a request at this moment, which would be lost. It is answered instead, as the
        last one of the connection.
        """
        if self._since <= since and self.exchange is None and not self._queued and not self._parser.in_head:
            self._transport.close()

    def check(self, now: float) -> None:
        """Close on a client that is too slow, or has been idle for long."""
        waited = now - self._since
        if not self._writing or self._transport.is_closing():
            unsent = self._transport.get_write_buffer_size()
            if unsent != self._unsent:
                self._unsent, self._since = unsent, now
            elif waited > _STUCK_S:
                self._transport.abort()
        elif self._lingering:
            if waited > _LINGER_S:
                self._transport.close()
        elif self._parser.in_head:
            if waited > _HEAD_S:
                self._refuse(SlowBodyError("the headers did not arrive in time"))
        elif self.exchange is None and waited > _IDLE_S:
            self._transport.close()

    def _linger(self) -> None:
        """Half-close, and discard the rest of what the client sends: closing at once could destroy the response."""
        self._lingering = True
        self._since = self._serving.now
        if not self._transport.is_closing():
            self._transport.write_eof()
            self.resume()

    def _has_ended(self) -> bool:
        """Whether a request was answered as the last one while its body was parsed: those after it are dropped."""
        if self._lingering:
            for exchange in self._queued:
                exchange.lose()
            self._queued.clear()
        return self._lingering

    def _release_head(self) -> None:
        """Give back the memory that was counted for a head that is whole now, or will never be."""
        self._serving.budget.free += self._held
        self._held = 0

    def _remember_head(self, data: bytes) -> None:
        """Remember the head of a request that came in one piece: clients send the same one again and again.

        Only a head whose end is beyond doubt is remembered, so that no body can be taken for one.
        """
        head, exchange = self._head, self._queued[0]
        length = head.headers.get(b"content-length", b"")
        if head.expects or not exchange.keep_alive or not length.isdigit():
            return
        size = int(length)
        text = data[:-size] if 0 < size < len(data) else b""
        whole = len(text) < _MOST_REMEMBERED and data.find(b"\r\n\r\n") == len(text) - 4
        if whole and b"transfer-encoding" not in head.headers and text.count(b"\n") == text.count(b"\r\n"):
            self._head_bytes, self._body_size = text, size

    def _answer_known_head(self, data: bytes) -> bool:
        """Answer a request without the parser, if its head is the remembered one byte by byte and its body is whole."""
        size = self._body_size
        if len(data) != len(self._head_bytes) + size or not data.startswith(self._head_bytes):
            return False
        if not self._writing or size > self._serving.budget.free:
            return False
        self._since = self._serving.now
        body = data[-size:]
        self.exchange = Exchange(self, self._serving, Request(self._head), keep_alive=True, body=body, size=size)
        self.exchange.begin()
        return True

    def _begin(self) -> None:
        if self.exchange is None and self._queued and self._writing and not self._transport.is_closing():
            self.exchange = self._queued.popleft()
            self.exchange.begin()

    def _refuse(self, error: ServeError) -> None:
        """Answer bytes that are no request with an error, once all requests before them are answered, and close."""
        self._refusal = error
        self._parser.in_head = False
        self._release_head()
        self.pause()
        partial, self._incoming = self._incoming, None
        if partial is not None and partial is self.exchange:
            partial.cancel(RequestError("the body is not valid HTTP"))
            return
        if partial is not None:
            self._queued.remove(partial)
            partial.lose()
        if self._queued:
            self._begin()
        elif self.exchange is None:
            self._send_refusal(error)

    def _send_refusal(self, error: ServeError) -> None:
        response = self._serving.app.refusal(error)
        body = response.body if isinstance(response.body, bytes) else b""
        self.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%bconnection: close\r\n\r\n%b"
            % (
                error.status,
                http.HTTPStatus(error.status).phrase.encode(),
                response.media_type,
                len(body),
                b"".join(f"{name}: {value}\r\n".encode() for name, value in response.headers.items()),
                body,
            )
        )
        self._linger()
        request = Request(_NO_HEAD)
        request.error = error.code
        self._serving.app.answered(request, error.status, len(body), 0.0)
