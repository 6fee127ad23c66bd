"""Server: listens, gives each client a Connection, and at the end lets those that are inside be answered."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Callable, Sequence

from ..errors import ShuttingDownError
from .connection import Connection
from .exchange import Serving

if TYPE_CHECKING:
    from ..app import App
    from .body_budget import Room

DRAIN_S = 7.0  # of the 10 s that platforms give between SIGTERM and SIGKILL
BACKLOG = 2048
_TICK_S = 0.1
_LAST_READ_S = 0.05  # what clients had sent when the end began is read and answered


class Server:
    """Serves the application over HTTP/1.1 until `should_exit` is set, by whatever thread or signal handler."""

    def __init__(self, app: App, room: Room) -> None:
        self.should_exit = False
        self.when_closed: Callable[[], None] = _nothing  # called once nobody is let in any more
        self._app = app
        self._room = room

    async def serve(self, sockets: Sequence[Any]) -> None:
        """Answer on the sockets; returns when all who were inside at the end have their answers, or the drain is over."""
        loop = asyncio.get_running_loop()
        serving = Serving(self._app, loop, self._room)
        serving.tick(_date())
        servers = [await loop.create_server(lambda: Connection(serving), sock=one, backlog=BACKLOG) for one in sockets]
        checked = serving.now
        while not self.should_exit:
            await asyncio.sleep(_TICK_S)
            serving.tick(_date())
            if serving.now - checked >= 1:
                checked = serving.now
                for connection in list(serving.connections):
                    connection.check(checked)
        serving.stopping = True
        await asyncio.sleep(_LAST_READ_S)
        for server in servers:
            server.close()
        self.when_closed()
        await _drain(serving)


async def _drain(serving: Serving) -> None:
    """Wait for the answers that are under way; those that take too long are cancelled, and say so."""
    end = serving.loop.time() + DRAIN_S
    while serving.connections and serving.loop.time() < end:
        serving.tick(_date())
        for connection in list(serving.connections):
            connection.close_if_idle()
            connection.check(serving.now)
        await asyncio.sleep(0.02)
    for connection in list(serving.connections):
        if connection.exchange is not None:
            connection.exchange.cancel(ShuttingDownError("the server is shutting down; ask again"))
    await asyncio.sleep(0)  # what was written is sent


def _nothing() -> None:
    """Nobody needs to know."""


def _date() -> str:
    return formatdate(time.time(), usegmt=True)
