"""An exchange runs its application's coroutine to exactly one end, whoever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from mlpack.runtime.errors import ServeError
from mlpack.runtime.http.body_budget import BodyBudget
from mlpack.runtime.http.exchange import Exchange, Serving
from mlpack.runtime.http.messages import Head, Request, Response

HEAD = Head("POST", "/predict", b"", {}, "1.1", expects=False)
Handler = Callable[[Request], Awaitable[bytes]]


class App:
    """An application that answers what its handler gives, and tells how each request ended."""

    deadline_s = 60.0

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.statuses: list[int] = []

    async def answer(self, request: Request) -> Response:
        """The handler's bytes, or the failure's status."""
        try:
            return Response(200, await self._handler(request))
        except ServeError as error:
            return Response(error.status, b"")

    def answered(self, _request: Request, status: int, _size: int, _seconds: float) -> None:
        """It has ended."""
        self.statuses.append(status)


class Line:
    """What an exchange wants of its connection."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.overs = 0

    def write(self, data: bytes) -> None:
        """Sent."""
        self.written.append(data)

    def over(self, _exchange: Exchange) -> None:
        """Ended."""
        self.overs += 1


def begun(handler: Handler) -> tuple[Exchange, App, Line]:
    app, line = App(handler), Line()
    serving: Any = Serving(app, asyncio.get_running_loop(), BodyBudget(0))  # type: ignore[arg-type]  # as far as it is asked here
    asked: Any = line
    request = Request(HEAD)
    request.max_body = 100
    exchange = Exchange(asked, serving, request, keep_alive=True, body=b"{}", size=0)
    exchange.begin()
    return exchange, app, line


def test_a_handler_may_let_others_go_first() -> None:
    """`asyncio.sleep(0)` yields nothing to wait for; the handler goes on in the loop's next round."""

    async def handler(request: Request) -> bytes:
        await asyncio.sleep(0)
        return await request.body()

    async def run() -> None:
        _, app, line = begun(handler)
        assert app.statuses == []
        await asyncio.sleep(0.01)
        assert (app.statuses, line.overs) == ([200], 1)
        assert line.written[0].endswith(b"\r\n\r\n{}")

    asyncio.run(run())


@pytest.mark.parametrize("ends", ["lose", "expire"])
@pytest.mark.parametrize("done", [True, False])
def test_one_end_though_two_come_at_once(ends: str, done: bool) -> None:
    """The client leaves, or the time is up, while the answer is on its way or still awaited: one end, told once."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        strays: list[dict[str, Any]] = []
        loop.set_exception_handler(lambda _, context: strays.append(context))
        future: asyncio.Future[bytes] = loop.create_future()

        async def handler(_request: Request) -> bytes:
            return await future

        exchange, app, line = begun(handler)
        if done:
            future.set_result(b"late")
        getattr(exchange, ends)()
        exchange.lose()
        await asyncio.sleep(0.01)
        assert (app.statuses, line.overs) == ([499 if ends == "lose" else 504], 1)
        assert len(line.written) == (ends == "expire")
        assert future.done()
        assert strays == []

    asyncio.run(run())
