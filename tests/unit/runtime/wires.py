"""A connection without a network: what a client sends in which packets, and what becomes of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from mlpack.runtime.errors import ServeError
from mlpack.runtime.http.body_budget import BodyBudget
from mlpack.runtime.http.connection import Connection
from mlpack.runtime.http.exchange import Serving
from mlpack.runtime.http.messages import Request, Response

ROOM = 2**24


class Asked(NamedTuple):
    """A request as the application sees it."""

    method: str
    path: str
    query: dict[str, str]
    version: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class App:
    """Reads each request to its end and answers it with nothing."""

    deadline_s = 60.0

    def __init__(self, max_body: int) -> None:
        self.asked: list[Asked] = []
        self._max_body = max_body

    async def answer(self, request: Request) -> Response:
        """200, or the failure's status."""
        request.max_body = self._max_body
        try:
            body = await request.body()
        except ServeError as error:
            return Response(error.status, b"", headers=error.headers)
        headers = tuple(sorted(request.headers.items()))
        self.asked.append(Asked(request.method, request.path, request.query(), request.version, headers, body))
        return Response(200, b"")

    def refusal(self, error: ServeError) -> Response:
        """The failure's status."""
        return Response(error.status, b"", headers=error.headers)

    def answered(self, _request: Request, _status: int, _size: int, _seconds: float) -> None:
        """Nobody counts."""


class Transport:
    """The client's side of a connection."""

    def __init__(self) -> None:
        self.said = b""
        self.closing = False
        self.ended = False  # the server says no more

    def write(self, data: bytes) -> None:
        """The server says something."""
        self.said += data

    def write_eof(self) -> None:
        """It has said all."""
        self.ended = True

    def close(self) -> None:
        """It closes."""
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        """Whether it has."""
        return self.closing

    def pause_reading(self) -> None:
        """What is sent all the same is given to it here: a network would keep it."""

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        """All has been taken."""
        return 0


class Outcome(NamedTuple):
    """What became of what a client sent."""

    asked: list[Asked]
    statuses: list[bytes]
    said: bytes
    read: int  # bytes that the server took before it said its last word
    free: int  # of the room, at the end
    least: int  # of the room that was free meanwhile


def sent(packets: Iterable[bytes], max_body: int = 2**20, room: int = ROOM) -> Outcome:
    """Send the packets until the server hears no more, then leave."""

    async def run() -> Outcome:
        app, transport = App(max_body), Transport()
        serving: Any = Serving(app, asyncio.get_running_loop(), BodyBudget(room))  # type: ignore[arg-type]  # as far as it is used
        connection = Connection(serving)
        connection.connection_made(transport)  # type: ignore[arg-type]
        read, least = 0, room
        for packet in packets:
            if transport.closing or transport.ended:
                break
            connection.data_received(packet)
            read += len(packet)
            least = min(least, serving.budget.free)
            if connection.exchange is not None or transport.said:
                await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        connection.connection_lost(None)
        statuses = re.findall(rb"HTTP/1\.1 (\d+) ", transport.said)
        return Outcome(app.asked, statuses, transport.said, read, serving.budget.free, least)

    return asyncio.run(run())
