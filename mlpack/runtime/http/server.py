"""Server listens, makes a Connection for each client, and drains when it stops."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Sequence

from ..errors import ShuttingDownError
from .connection import Connection
from .exchange import Serving

if TYPE_CHECKING:
    from ..app import App
    from .body_budget import BodyBudget

_DRAIN_S = 7.0  # of the 10 s that platforms give between SIGTERM and SIGKILL
BACKLOG = 2048
_TICK_S = 0.1
_CLEANUP_S = 0.5
_LAST_READ_S = 0.05  # what clients had sent before the stop is read and answered
_ACTIVE_S = 1.0  # since its last request, in which a client is expected to send another one over the connection


class Server:
    """Serves the application over HTTP/1.1 until a thread or signal handler sets `should_exit`.

    Requests that are being answered then have `drain_s` seconds.
    """

    def __init__(self, app: App, budget: BodyBudget, drain_s: float = _DRAIN_S) -> None:
        self.should_exit = False
        self.when_started: Callable[[], None] = _nothing  # called in the event loop before the first connection
        self.at_end: Callable[[], Awaitable[None]] = _wait_for_nothing  # awaited once all requests are answered
        self.when_closed: Callable[[], None] = _nothing  # called once no connection is accepted any more
        self._drain_s = drain_s
        self._app = app
        self._budget = budget

    async def serve(self, sockets: Sequence[Any]) -> None:
        """Answer on the sockets until the stop; returns when all requests are answered, or the drain's time is over."""
        loop = asyncio.get_running_loop()
        serving = Serving(self._app, loop, self._budget)
        serving.tick(_date())
        self.when_started()
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
        await _drain(serving, self._drain_s)
        await self.at_end()


async def _drain(serving: Serving, drain_s: float) -> None:
    """Wait for the requests that are being answered, and those of active clients; those that take too long get 503."""
    end = serving.loop.time() + drain_s
    while serving.connections and serving.loop.time() < end:
        serving.tick(_date())
        for connection in list(serving.connections):
            connection.close_if_idle(serving.now - _ACTIVE_S)
            connection.check(serving.now)
        await asyncio.sleep(0.02)
    for connection in list(serving.connections):
        if connection.exchange is not None:
            connection.exchange.cancel(ShuttingDownError("the server is shutting down; try again"))
    await asyncio.sleep(0)  # what was written is sent
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if tasks:  # handlers that clean up
        await asyncio.wait(tasks, timeout=_CLEANUP_S)


def _nothing() -> None:
    """Do nothing."""


async def _wait_for_nothing() -> None:
    """Return at once."""


def _date() -> str:
    return formatdate(time.time(), usegmt=True)
