"""One client's connection: HTTP/1.1 in and out, one exchange after the other, each given to the application."""

from __future__ import annotations

import asyncio
import http
from collections import deque
from typing import Any, Deque, Optional

from ..errors import BodiesFullError, ClientGoneError, RequestError
from .body_budget import AN_EXCHANGE, FOR_HEADS
from .exchange import Exchange, Serving
from .messages import Head, Request, Response
from .parser import Parser, RefusedError

_MOST_QUEUED = 16  # requests that a client may send ahead of their answers
_MOST_LEARNT = 4096  # bytes of a head that are remembered
_HEAD_S = 20.0  # from a request's first byte to the end of its headers
_IDLE_S = 620.0  # longer than load balancers keep idle connections, so that they close first
_NO_HEAD = Head("-", "", b"", {}, "", expects=False)
_RETRY = b"retry-after: 1\r\n"
_GONE = Response(ClientGoneError.status, b"")
_STUCK_S = 60.0  # a client that does not read its answer
_LINGER_S = 2.0  # after an answer that came before the whole body: closing at once would destroy it on its way


class Connection(asyncio.Protocol):
    """Parses, answers in order, and lets go of clients that are too slow. `serving` is what all connections share."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._parser = Parser(self)
        self._transport: Any = None
        self._queued: Deque[Exchange] = deque()
        self._head = _NO_HEAD  # of the last request
        self._said = b""  # and its bytes up to its body, where they may come again
        self._size = 0  # of the body that they announce
        self._incoming: Optional[Exchange] = None  # whose body is arriving
        self._held = 0  # bytes of a head that has not come whole
        self._reading = True
        self._writing = True
        self._unsent = 0  # bytes that the client had not taken when last looked at
        self._lingering = False
        self._refusal = 0  # the status of what was no request; nothing is read behind it
        self._since = serving.now  # when it last began to wait for what its client does
        self.exchange: Optional[Exchange] = None  # who is being answered

    # from the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport = transport
        self._serving.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Parse what came."""
        if self._lingering or self._refusal:
            return
        parser = self._parser
        fresh = self.exchange is None and self._incoming is None and not self._queued and not parser.in_head
        if fresh and self._size and self._again(data):
            return
        self._size = 0
        try:
            parser.feed(data)
        except RefusedError as refused:
            if not self._has_ended():
                self._refuse(refused.status)
            return
        if self._has_ended():
            return
        if fresh and len(self._queued) == 1 and self._incoming is None:
            self._learn(data)
        if self.exchange is None and self._queued:
            self._begin()
        if parser.in_head:
            self._held += len(data)
            self._serving.room.free -= len(data)
            if self._serving.room.free + FOR_HEADS < 0:
                self._refuse(503)

    def eof_received(self) -> None:
        """The client sends no more; it is taken for gone."""

    def connection_lost(self, _error: Optional[Exception]) -> None:
        """The client has gone: whoever listens is told."""
        self._serving.connections.discard(self)
        self._let_go()
        for exchange in (self.exchange, self._incoming, *self._queued):
            if exchange is not None:
                exchange.lose()
        for exchange in self._queued:  # which nobody has begun to answer
            exchange.request.error = ClientGoneError.code
            self._serving.app.answered(exchange.request, _GONE, 0.0)
        self._queued.clear()

    def pause_writing(self) -> None:
        """The client does not read: nothing more is begun for it."""
        self._writing = False
        self._since = self._serving.now

    def resume_writing(self) -> None:
        """It reads again."""
        self._writing = True
        self._begin()

    # from the parser

    def first_byte(self) -> None:
        """A request begins."""
        self._since = self._serving.now

    def head(self, head: Head, size: int, *, keep_alive: bool) -> None:
        """The head is whole: once all that came with it is parsed, the application may begin."""
        self._let_go()
        size += AN_EXCHANGE
        if size > self._serving.room.free + FOR_HEADS:
            raise RefusedError(503)
        self._head = head
        exchange = Exchange(self, self._serving, Request(head), keep_alive=keep_alive, body=None, size=size)
        self._incoming = exchange
        self._queued.append(exchange)
        if len(self._queued) >= _MOST_QUEUED:
            self.hold()

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

    def hold(self) -> None:
        """Read no more for now."""
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read on."""
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send bytes to the client, if it is still there."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def over(self, exchange: Exchange) -> None:
        """An exchange has been answered: close, or go on to the next."""
        self.exchange = None
        self._since = self._serving.now
        if self._incoming is exchange:  # its body has not come whole, and nobody will read the rest
            self._linger()
            return
        if not (exchange.keep_alive and exchange.answered):
            self._transport.close()
            return
        if not self._reading and len(self._queued) < _MOST_QUEUED and not self._refusal:
            self.go_on()
        if self._refusal and not self._queued:
            self._say_refusal()
        elif self._queued:  # not at once: who sends a thousand requests in one piece takes turns with the others
            self._serving.loop.call_soon(self._begin)

    def abort(self) -> None:
        """End it without a word."""
        self._transport.abort()

    def close_if_idle(self) -> None:
        """Let a client go that asks for nothing at the moment."""
        if self.exchange is None and not self._queued and not self._parser.in_head:
            self._transport.close()

    def check(self, now: float) -> None:
        """Let go of a client that is too slow, or has been idle for long."""
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
                self._refuse(408)
        elif self.exchange is None and waited > _IDLE_S:
            self._transport.close()

    def _linger(self) -> None:
        """Say that nothing more comes, and let the client say the rest: closing at once could destroy the answer."""
        self._lingering = True
        self._since = self._serving.now
        if not self._transport.is_closing():
            self._transport.write_eof()
            self.go_on()

    def _has_ended(self) -> bool:
        """Whether, while its body was parsed, a request was answered as the last: what came behind it is not answered."""
        if self._lingering:
            for exchange in self._queued:
                exchange.lose()
            self._queued.clear()
        return self._lingering

    def _let_go(self) -> None:
        """Of what is counted of a head that is whole now, or will never be."""
        self._serving.room.free += self._held
        self._held = 0

    def _learn(self, data: bytes) -> None:
        """Remember the head of a request that came in one piece: clients say the same again and again.

        It is learnt only where its first empty line is its end beyond doubt, so that nobody can pass a body for a head.
        """
        head, exchange = self._head, self._queued[0]
        length = head.headers.get(b"content-length", b"")
        if head.expects or not exchange.keep_alive or not length.isdigit():
            return
        size = int(length)
        said = data[:-size] if 0 < size < len(data) else b""
        whole = len(said) < _MOST_LEARNT and data.find(b"\r\n\r\n") == len(said) - 4
        if whole and b"transfer-encoding" not in head.headers and said.count(b"\n") == said.count(b"\r\n"):
            self._said, self._size = said, size

    def _again(self, data: bytes) -> bool:
        """Answer a request whose head is known word by word and whose body is whole: what the parser would say is known."""
        size = self._size
        if len(data) != len(self._said) + size or not data.startswith(self._said):
            return False
        if not self._writing or size > self._serving.room.free:
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

    def _refuse(self, status: int) -> None:
        """What is no request cannot be answered by a contract: a bare status, and the end, once all before it is answered."""
        self._refusal = status
        self._parser.in_head = False
        self._let_go()
        self.hold()
        half, self._incoming = self._incoming, None
        if half is not None and half is self.exchange:
            half.cancel(RequestError("the body is not as HTTP sends one"))
            return
        if half is not None:
            self._queued.remove(half)
            half.lose()
        if self._queued:
            self._begin()
        elif self.exchange is None:
            self._say_refusal()

    def _say_refusal(self) -> None:
        status = http.HTTPStatus(self._refusal)
        busy = status.value == BodiesFullError.status
        response = Response(status.value, status.phrase.encode() + b"\n", b"text/plain")
        self.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\ncontent-length: %d\r\n%bconnection: close\r\n\r\n%b"
            % (status, response.body[:-1], response.media_type, len(response.body), _RETRY * busy, response.body)
        )
        self._linger()
        request = Request(_NO_HEAD)
        request.error = BodiesFullError.code if busy else RequestError.code
        self._serving.app.answered(request, response, 0.0)
