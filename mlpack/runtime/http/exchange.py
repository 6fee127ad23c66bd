"""One request and its response on a connection: Exchange, and Serving, which all of them share."""

from __future__ import annotations

import asyncio
import contextvars
import http
import math
import time
from typing import TYPE_CHECKING, Any, Awaitable, Dict, List, Optional, Protocol, Set, Tuple

from ..errors import BodiesFullError, ClientGoneError, DeadlineError, ServeError, SlowBodyError
from .body_budget import BodyBudget
from .deadlines import Deadlines
from .driver import CoroutineDriver
from .messages import Request, Response
from .streaming import BodyStream

if TYPE_CHECKING:
    from ..app import App

# bytes of a body that are kept for a handler that has not read them; more stays with the client
_MOST_UNREAD = 256 * 1024
_MOST_HEADS = 64
_STATUS_LINES = {int(one): b"HTTP/1.1 %d %s\r\n" % (one, one.phrase.encode()) for one in http.HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LENGTH = b"\r\ncontent-length: "
_NOT_MODIFIED = 304
# The milliseconds that the client waits for the response, as gRPC's grpc-timeout; a caller with a deadline of its own sends it.
_DEADLINE = b"x-request-deadline-ms"


class Client(Protocol):
    """The connection that requests come on, as an exchange and the server use it."""

    exchange: Optional[Exchange]  # the request that is being answered

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def drained(self) -> Awaitable[None]:
        """Wait until the client has read enough of what was sent."""

    def pause(self) -> None:
        """Read no more from the client for now."""

    def resume(self) -> None:
        """Read from the client again."""

    def over(self, exchange: Exchange) -> None:
        """The exchange has its response; the next one may begin."""

    def abort(self) -> None:
        """Close it at once."""

    def reset(self) -> None:
        """Close it at once, so that the client sees an error and no regular end."""

    def close_if_idle(self, since: float) -> None:
        """Close it unless a request is being answered, or was answered after `since`."""

    def check(self, now: float) -> None:
        """Close it when it has been idle or slow for too long."""


class Serving:
    """What all connections share: application, loop, memory budget, time, Date header, whether the server stops."""

    def __init__(self, app: App, loop: asyncio.AbstractEventLoop, budget: BodyBudget) -> None:
        self.app = app
        self.loop = loop
        self.budget = budget
        self.now = loop.time()
        self.stopping = False
        self.connections: Set[Client] = set()
        self.deadline_s = app.deadline_s
        self.deadlines = Deadlines()
        self.context = contextvars.copy_context()
        self._date = b""
        self._heads: Dict[Tuple[int, bytes], bytes] = {}

    def tick(self, date: str) -> None:
        """Note the time, and end the requests whose deadline has passed."""
        self.now = self.loop.time()
        self._date = date.encode()
        self._heads.clear()
        self.deadlines.check(time.perf_counter())

    def head(self, status: int, media_type: bytes) -> bytes:
        """A response's head up to the length of its body; the same for all until the clock goes on."""
        head = self._heads.get((status, media_type))
        if head is None:
            parts = (_STATUS_LINES[status], b"date: ", self._date, b"\r\ncontent-type: ", media_type, _LENGTH)
            head = b"".join(parts)
            if len(self._heads) < _MOST_HEADS:
                self._heads[status, media_type] = head
        return head


class Exchange(CoroutineDriver):
    """Drives the application's coroutine for one request, and sends the response.

    When the client is gone or the deadline has passed, the coroutine gets an exception where it waits.
    """

    answered = False  # the response has begun: its deadline is kept
    began = 0.0  # by the performance counter
    deadline = math.inf  # by the same
    _size = 0  # of the body, so far
    _wanted = False  # the handler reads the body
    _reader: Any = None  # the future by which it waits for more of the body
    _refused = False  # the body is dropped, for want of memory
    _stream: Optional[BodyStream] = None
    _status = 0  # of a response that is being streamed

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
        """`body` is None where it has not come yet; `size` is what it takes of the memory budget so far."""
        self.loop = serving.loop
        self._context = serving.context
        self.request = request
        self.keep_alive = keep_alive
        self._connection = connection
        self._serving = serving
        self._whole = body is not None
        self._body: List[bytes] = [] if body is None else [body]
        self._held = size
        serving.budget.free -= size
        request.incoming = self

    def begin(self) -> None:
        """Let the application answer."""
        serving, given = self._serving, self.request.headers.get(_DEADLINE)
        seconds = serving.deadline_s if given is None else min(serving.deadline_s, _seconds(given))
        self.began = began = time.perf_counter()
        self.request.deadline = self.deadline = began + seconds
        self.drive(serving.app.answer(self.request))
        if not self.answered:
            serving.deadlines.add(self)

    async def body(self, limit: int) -> bytes:
        """The whole body; of one longer than `limit` as much as is there once that is known."""
        if not self._whole:
            if self.request.expects:
                self._connection.write(_CONTINUE)
            self._wanted = True
            if self._size > _MOST_UNREAD:
                self._connection.resume()
            while not self._whole and self._size <= limit and not self._refused:
                self._reader = self.loop.create_future()
                await self._reader
        if self._refused:
            raise BodiesFullError("the bodies of other requests take all the memory for bodies; try again in a moment")
        if len(self._body) != 1:
            self._body = [b"".join(self._body)]  # and not the pieces beside the whole
        return self._body[0]

    def feed(self, piece: bytes) -> None:
        """Take a piece of the body."""
        size, budget = len(piece), self._serving.budget
        self._size += size
        if self._refused:
            return
        if size <= budget.free:
            budget.free -= size
            self._held += size
            self._body.append(piece)
        else:
            self._refused = True
            self._drop()
        if self._wanted:
            self._wake_reader()
        elif self._size > _MOST_UNREAD:
            self._connection.pause()

    def end_of_body(self) -> None:
        """The body is whole."""
        self._whole = True
        self._wake_reader()

    def lose(self) -> None:
        """The client has closed the connection."""
        self.cancel(ClientGoneError("the client closed the connection"))
        self._drop()  # the connection and its parser hold each other, and so would keep it for long

    def expire(self) -> None:
        """The deadline has passed."""
        late = "the answer took too long; send fewer rows, or try again later"
        self.cancel(DeadlineError(late) if self._whole else SlowBodyError("the body did not arrive in time"))
        if self._coroutine is not None:  # it caught the error and goes on: it gets another one at the next tick
            self._serving.deadlines.add(self)

    def cancel(self, reason: ServeError) -> None:
        """Raise the reason where the application waits; a response that is being sent breaks off."""
        stream = self._stream
        if stream is None:
            self.interrupt(reason)
            return
        stream.cancel()
        self.request.error = reason.code
        self._break_off(ClientGoneError.status if isinstance(reason, ClientGoneError) else self._status)

    def returned(self, value: Response) -> None:
        """Send the application's response."""
        self.answered = True
        if self._serving.stopping or not self._whole:  # the rest of the body is not worth reading
            self.keep_alive = False
        body = value.body
        if not isinstance(body, bytes):
            self._begin_stream(value)
            return
        status = value.status
        if status != ClientGoneError.status:
            self._connection.write(self._bytes(value, body))
        self._end(status, len(body))

    def raised(self) -> None:
        """Close the connection: the application never raises, but to end the process."""
        self._connection.abort()

    def _wake_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            self.set_result(reader)

    def _begin_stream(self, response: Response) -> None:
        chunked = self.request.version != "1.0"
        self.keep_alive = self.keep_alive and chunked
        self._status = response.status
        head = self._serving.head(response.status, response.media_type)[: -len(_LENGTH)]
        framing = "\r\ntransfer-encoding: chunked" if chunked else ""
        request_id = self.request.id.encode()
        self._connection.write(
            b"%b%b\r\nx-request-id: %b%b\r\n\r\n" % (head, framing.encode(), request_id, self._more(response.headers))
        )
        body: Any = response.body
        self._stream = BodyStream(body, self._connection, self._end_stream, chunked=chunked)
        self._stream.start(self.loop, empty=self.request.method == "HEAD")

    def _end_stream(self, error: Optional[BaseException]) -> None:
        if error is not None:
            self._serving.app.failed(self.request, error)
            self._break_off(500)
            return
        stream, self._stream = self._stream, None
        self._end(self._status, 0 if stream is None else stream.sent)

    def _break_off(self, status: int) -> None:
        """Let the client see that the body is not whole: no last chunk, and no regular end of the connection."""
        self.keep_alive = False
        self._connection.reset()
        stream, self._stream = self._stream, None
        self._end(status, 0 if stream is None else stream.sent)

    def _end(self, status: int, size: int) -> None:
        self._serving.app.answered(self.request, status, size, time.perf_counter() - self.began)
        self._drop()
        del self.request.incoming
        self._connection.over(self)

    def _drop(self) -> None:
        """Keep the body no longer."""
        self._body = []
        self._serving.budget.free += self._held
        self._held = 0

    def _bytes(self, response: Response, body: bytes) -> bytes:
        status, headers, keep_alive = response.status, response.headers, self.keep_alive
        return b"%b%d\r\nx-request-id: %b%b\r\n\r\n%b" % (
            self._serving.head(status, response.media_type),
            len(body),
            self.request.id.encode(),
            self._more(headers) if headers or not keep_alive or self.request.version == "1.0" else b"",
            b"" if self.request.method == "HEAD" or status == _NOT_MODIFIED else body,
        )

    def _more(self, headers: Dict[str, str]) -> bytes:
        """The response's own headers and `connection`, each after a line's end."""
        more = "".join([f"\r\n{name}: {value}" for name, value in headers.items()]).encode() if headers else b""
        if not self.keep_alive:
            return more + b"\r\nconnection: close"
        return more + b"\r\nconnection: keep-alive" if self.request.version == "1.0" else more


def _seconds(milliseconds: bytes) -> float:
    """A deadline's length in seconds; one that cannot be read is no deadline."""
    plain = milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) < 12
    return int(milliseconds) / 1000 if plain else math.inf
