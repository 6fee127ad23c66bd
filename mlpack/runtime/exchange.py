"""One request and its answer on a connection, as the ASGI application sees them: Exchange."""

from __future__ import annotations

import asyncio
import http
from typing import TYPE_CHECKING, Any, Awaitable, Callable, List, MutableMapping, Optional, Set

if TYPE_CHECKING:
    from .connection import Connection

Message = MutableMapping[str, Any]
App = Callable[[Message, Any, Any], Awaitable[None]]

_MOST_UNREAD = 256 * 1024  # bytes of a body that wait for the application; more stays with the client
_STATUS_LINES = {int(one): b"HTTP/1.1 %d %s\r\n" % (one, one.phrase.encode()) for one in http.HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Serving:
    """What all connections share: the application, the loop, the time, the Date header, whether the end has begun."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self.loop = loop
        self.now = loop.time()
        self.date = b""
        self.stopping = False
        self.connections: Set[Connection] = set()


class Exchange:
    """`receive` and `send` of ASGI. The answer's head is kept until its body comes, so that both are one write."""

    __slots__ = (
        "_body", "_connection", "_expects", "_gone", "_read", "_scope", "_serving", "_size", "_start", "_waiter", "_whole",
        "answered", "keep_alive", "task",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, serving: Serving, scope: Message, *, keep_alive: bool, expects: bool
    ) -> None:
        self.keep_alive = keep_alive
        self.answered = False
        self.task: Optional[asyncio.Task[None]] = None
        self._connection = connection
        self._serving = serving
        self._scope = scope
        self._expects = expects
        self._body: List[bytes] = []
        self._size = 0
        self._whole = False  # the body's end has come
        self._read = False  # and was handed on
        self._gone = False
        self._waiter: Optional[asyncio.Future[None]] = None
        self._start: Message = {}

    def begin(self) -> None:
        """Let the application answer."""
        self.task = self._serving.loop.create_task(self._answer())

    async def receive(self) -> Message:
        """The next piece of the body; once it has come whole, that the client has gone, as soon as it has."""
        while not self._body and (self._read or not self._whole) and not self._gone and not self.answered:
            if self._expects:
                self._expects = False
                self._connection.write(_CONTINUE)
            self._waiter = self._serving.loop.create_future()
            await self._waiter
        if self._gone or self.answered or self._read:
            return {"type": "http.disconnect"}
        parts, self._body = self._body, []
        if self._size > _MOST_UNREAD:
            self._connection.go_on()
        self._size = 0
        self._read = self._whole
        return {
            "type": "http.request",
            "body": parts[0] if len(parts) == 1 else b"".join(parts),
            "more_body": not self._whole,
        }

    async def send(self, message: Message) -> None:
        """The answer: its head, then its body in one piece."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        self.answered = True
        if self._serving.stopping or not self._whole:  # what is left of the body is not worth reading
            self.keep_alive = False
        body = b"" if self._scope["method"] == "HEAD" else message["body"]
        parts = [_STATUS_LINES[self._start["status"]], b"date: ", self._serving.date]
        for name, value in self._start["headers"]:
            parts += (b"\r\n", name, b": ", value)
        if not self.keep_alive:
            parts.append(b"\r\nconnection: close")
        elif self._scope["http_version"] == "1.0":
            parts.append(b"\r\nconnection: keep-alive")
        parts += (b"\r\n\r\n", body)
        self._connection.write(b"".join(parts))

    def feed(self, piece: bytes) -> None:
        """A piece of the body has come."""
        self._body.append(piece)
        self._size += len(piece)
        if self._size > _MOST_UNREAD:
            self._connection.hold()
        self._wake()

    def end_of_body(self) -> None:
        """All of it has come."""
        self._whole = True
        self._wake()

    def lose(self) -> None:
        """The client has gone."""
        self._gone = True
        self._wake()

    async def _answer(self) -> None:
        try:
            await self._serving.app(self._scope, self.receive, self.send)
        finally:
            self._connection.over(self)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
