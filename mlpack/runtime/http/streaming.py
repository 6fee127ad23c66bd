"""A response's body that comes piece by piece: BodyStream sends it as fast as the client reads."""

from __future__ import annotations

import asyncio
from typing import AsyncIterator, Awaitable, Callable, Optional, Protocol

LAST_CHUNK = b"0\r\n\r\n"


class Sink(Protocol):
    """Where the pieces go."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def drained(self) -> Awaitable[None]:
        """Wait until the client has read enough of what was sent."""


class BodyStream:
    """Sends what an iterator gives: in chunks (RFC 9112, 7.1), or as it is where the end of the connection ends the body.

    `on_end` is called with None, or with what the iterator raised. The iterator is closed in any case.
    """

    def __init__(
        self,
        body: AsyncIterator[bytes],
        sink: Sink,
        on_end: Callable[[Optional[BaseException]], None],
        *,
        chunked: bool,
    ) -> None:
        self.sent = 0  # bytes of the body
        self._body = body
        self._sink = sink
        self._on_end = on_end
        self._chunked = chunked
        self._task: Optional[asyncio.Task[None]] = None

    def start(self, loop: asyncio.AbstractEventLoop, *, empty: bool = False) -> None:
        """Begin to send; with `empty` the body is only closed, as the answer to HEAD has none."""
        self._task = loop.create_task(self._close() if empty else self._send())
        self._task.add_done_callback(self._ended)

    def cancel(self) -> None:
        """Send no more; the iterator is cancelled where it waits, and `on_end` is not called."""
        if self._task is not None:
            self._task.remove_done_callback(self._ended)
            self._task.cancel()

    async def _send(self) -> None:
        try:
            async for piece in self._body:
                if piece:  # an empty chunk would be the last one
                    self.sent += len(piece)
                    self._sink.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)
                    await self._sink.drained()
                    await asyncio.sleep(0)  # an iterator that never waits would hold the event loop
        finally:
            await self._close()
        if self._chunked:
            self._sink.write(LAST_CHUNK)

    async def _close(self) -> None:
        close = getattr(self._body, "aclose", None)  # of a generator
        if close is not None:
            await close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._on_end(asyncio.CancelledError() if task.cancelled() else task.exception())
