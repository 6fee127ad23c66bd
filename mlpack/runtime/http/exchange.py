"""One request and its answer on a connection: Exchange, and Serving, which all of them share."""

from __future__ import annotations

import asyncio
import contextvars
import http
import time
from typing import TYPE_CHECKING, Any, Dict, Optional, Protocol, Set, Tuple

from ..errors import BodiesFullError, ClientGoneError, DeadlineError, ServeError, SlowBodyError
from .body_budget import Room
from .deadlines import Watches
from .messages import Request, Response

if TYPE_CHECKING:
    from ..app import App

_MOST_UNREAD = 256 * 1024  # bytes of a body that wait for the application; more stays with the client
_MOST_HEADS = 64
_STATUS_LINES = {int(one): b"HTTP/1.1 %d %s\r\n" % (one, one.phrase.encode()) for one in http.HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Client(Protocol):
    """The connection that requests come on, as an exchange and the server use it."""

    exchange: Optional[Exchange]  # the request in hand

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def hold(self) -> None:
        """Read no more from the client for now."""

    def go_on(self) -> None:
        """Read from the client again."""

    def over(self, exchange: Exchange) -> None:
        """The exchange has its answer; the next one may begin."""

    def abort(self) -> None:
        """Close it at once."""

    def close_if_idle(self) -> None:
        """Close it unless a request is in hand."""

    def check(self, now: float) -> None:
        """Close it when it has been idle or slow for too long."""


class Serving:
    """What all connections share: application, loop, room for requests, time, Date header, whether the end has begun."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop, room: Room) -> None:
        self.app = app
        self.loop = loop
        self.room = room
        self.now = loop.time()
        self.stopping = False
        self.connections: Set[Client] = set()
        self.deadline_s = app.deadline_s
        self.watches = Watches(app.deadline_s)
        self.context = contextvars.copy_context()
        self._date = b""
        self._heads: Dict[Tuple[int, bytes], bytes] = {}

    def tick(self, date: str) -> None:
        """Some time has passed: who waits for too long is told so."""
        self.now = self.loop.time()
        self._date = date.encode()
        self._heads.clear()
        self.watches.look(time.perf_counter())

    def head(self, status: int, media_type: bytes) -> bytes:
        """An answer's head up to the number of its bytes; the same for all until the clock goes on."""
        head = self._heads.get((status, media_type))
        if head is None:
            parts = (_STATUS_LINES[status], b"date: ", self._date, b"\r\ncontent-type: ", media_type)
            head = b"".join(parts) + b"\r\ncontent-length: "
            if len(self._heads) < _MOST_HEADS:
                self._heads[status, media_type] = head
        return head


class Exchange:
    """Runs the application's coroutine for one request by itself, because a Task would cost as much as reading the request.

    The coroutine may wait for futures of the loop. Who has left, or is overdue, gets an exception where it waits.
    """

    answered = False
    began = 0.0  # by the performance counter
    _size = 0  # of the body, so far
    _reading = False  # the application wants the body
    _turned_away = False  # for want of room: its body is not kept
    _watched = False
    _awaited: Any = None  # the future that the application waits for
    _running: Any = None  # the application's coroutine

    def __init__(
        self,
        connection: Client,
        serving: Serving,
        request: Request,
        *,
        keep_alive: bool,
        body: Optional[bytes],
        size: int,
    ) -> None:
        """`body` is None where it has not come yet; `size` is what it takes of the room so far."""
        self.request = request
        self.keep_alive = keep_alive
        self._connection = connection
        self._serving = serving
        self._whole = body is not None
        self._body = [] if body is None else [body]
        self._held = size
        serving.room.free -= size
        request.incoming = self

    def begin(self) -> None:
        """Let the application answer."""
        self.began = began = time.perf_counter()
        self.request.deadline = began + self._serving.deadline_s
        self._running = self._serving.app.answer(self.request)
        self._step(self._running.send, None)

    async def body(self, limit: int) -> bytes:
        """The whole body; when it is longer than `limit`, as much as told so."""
        if not self._whole:
            if self.request.expects:
                self._connection.write(_CONTINUE)
            self._reading = True
            if self._size > _MOST_UNREAD:
                self._connection.go_on()
            while not self._whole and self._size <= limit and not self._turned_away:
                await self._serving.loop.create_future()
        if self._turned_away:
            raise BodiesFullError("the bodies of other requests take all the memory for them; try again in a moment")
        if len(self._body) != 1:
            self._body = [b"".join(self._body)]  # and not the pieces beside the whole
        return self._body[0]

    def feed(self, piece: bytes) -> None:
        """A piece of the body has come."""
        size, room = len(piece), self._serving.room
        self._size += size
        if self._turned_away:
            return
        if size <= room.free:
            room.free -= size
            self._held += size
            self._body.append(piece)
        else:
            self._turned_away = True
            self._drop()
        if self._reading:
            self._wake_reader()
        elif self._size > _MOST_UNREAD:
            self._connection.hold()

    def end_of_body(self) -> None:
        """All of it has come."""
        self._whole = True
        if self._reading:
            self._wake_reader()

    def lose(self) -> None:
        """The client has gone."""
        self.cancel(ClientGoneError("the client has gone"))
        self._drop()  # the connection and its parser point to each other, and so would keep it for long

    def expire(self) -> None:
        """The time for an answer is over."""
        late = "the answer took too long; ask for fewer rows, or later"
        self.cancel(DeadlineError(late) if self._whole else SlowBodyError("the body did not arrive in time"))

    def cancel(self, reason: ServeError) -> None:
        """Let the application wait no longer, and tell it why."""
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            awaited.remove_done_callback(self._go_on)
            awaited.cancel()
            self._step(self._running.throw, reason)

    def _step(self, how: Any, what: Any) -> None:
        """Run the application until it waits again, or has its answer."""
        try:
            awaited = how(what)
        except StopIteration as done:
            self._finish(done.value)
            return
        except BaseException:
            self._connection.abort()
            raise
        if awaited is None:  # it lets others go first
            self._serving.loop.call_soon(self._step, self._running.send, None)
            return
        awaited._asyncio_future_blocking = False  # noqa: SLF001 - as every driver of a coroutine tells a future that it has seen it
        awaited.add_done_callback(self._go_on, context=self._serving.context)
        self._awaited = awaited
        if not self._watched:
            self._watched = True
            self._serving.watches.add(self)

    def _go_on(self, future: Any) -> None:
        if self._awaited is future:  # else somebody was faster
            self._awaited = None
            self._step(self._running.send, None)

    def _wake_reader(self) -> None:
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            awaited.remove_done_callback(self._go_on)
            awaited.set_result(None)
            self._step(self._running.send, None)

    def _finish(self, response: Response) -> None:
        self.answered = True
        if self._serving.stopping or not self._whole:  # what is left of the body is not worth reading
            self.keep_alive = False
        if response.status != ClientGoneError.status:
            self._connection.write(self._bytes(response))
        self._serving.app.answered(self.request, response, time.perf_counter() - self.began)
        self._running = None  # what points to itself would stay until the garbage collector comes
        self._drop()
        del self.request.incoming
        self._connection.over(self)

    def _drop(self) -> None:
        """Keep the body no longer."""
        self._body = []
        self._serving.room.free += self._held
        self._held = 0

    def _bytes(self, response: Response) -> bytes:
        status, body, media_type, headers = response
        more = "".join([f"\r\n{name}: {value}" for name, value in headers.items()]).encode() if headers else b""
        if not self.keep_alive:
            more += b"\r\nconnection: close"
        elif self.request.version == "1.0":
            more += b"\r\nconnection: keep-alive"
        return b"%b%d\r\nx-request-id: %b%b\r\n\r\n%b" % (
            self._serving.head(status, media_type),
            len(body),
            self.request.id.encode(),
            more,
            b"" if self.request.method == "HEAD" else body,
        )
