"""Handlers: what runs in a Task may use all of asyncio; both kinds end when the client is gone or the deadline has passed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlpack.packages.pythons import SUPPORTED
from mlpack.runtime.errors import BadInputError, ClientGoneError, DeadlineError, ServeError
from mlpack.runtime.http import driver
from mlpack.runtime.http.messages import Request, Response, Route
from mlpack.runtime.protocols.own import OWN_ERRORS
from mlpack.runtime.settings import Settings
from mlpack.runtime.telemetry.logs import Log
from tests.unit.runtime.services import LOOPS, Client, serving, text

POST = b"POST /handler HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"


@pytest.fixture(params=LOOPS)
def handled(request: pytest.FixtureRequest) -> Any:
    """Serves a handler at /handler, with POST and GET, on each kind of event loop."""

    @contextmanager
    def serve(handler: Any, *, fast: bool = False, **more: Any) -> Iterator[Client]:
        routes = [Route(method, "/handler", handler, OWN_ERRORS, fast=fast) for method in ("GET", "POST")]
        with serving(routes, kind=request.param, **more) as client:
            yield client

    return serve


def test_a_handler_in_a_task_uses_timeouts_and_connections(handled: Any) -> None:
    """`wait_for`, `sleep`, `gather`, and a connection to another server."""

    def echo(listener: socket.socket) -> None:
        with listener, listener.accept()[0] as connection:
            connection.sendall(connection.recv(100).upper())

    async def handler(_request: Request) -> Response:
        await asyncio.sleep(0.001)
        assert await asyncio.wait_for(asyncio.sleep(0.001, "slept"), 10) == "slept"
        assert sum(await asyncio.gather(asyncio.sleep(0, 1), asyncio.sleep(0.001, 2))) == 3
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.sleep(10), 0.001)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        await writer.drain()
        answer = await reader.read(100)
        writer.close()
        await writer.wait_closed()
        return text(answer.decode())

    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    thread = threading.Thread(target=echo, args=(listener,))
    thread.start()
    with handled(handler) as client:
        assert client.get("/handler").body == b"HELLO"
    thread.join(10)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio.timeout is new in Python 3.11")
def test_a_handler_in_a_task_calls_a_service_with_a_timeout(handled: Any) -> None:
    """A request to another server within `asyncio.timeout`: its answer where it is quick, TimeoutError where it is not."""

    async def request(path: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", other.port)
        try:
            writer.write(b"GET %b HTTP/1.0\r\n\r\n" % path.encode())
            await writer.drain()
            return (await reader.read()).partition(b"\r\n\r\n")[2]
        finally:
            writer.close()

    async def handler(incoming: Request) -> Response:
        limit_s = float(incoming.query()["limit"])
        new: Any = asyncio  # the type checker reads this file as of Python 3.10
        try:  # what HTTP clients and database drivers are built on
            async with new.timeout(limit_s), new.TaskGroup() as group:
                calls = [group.create_task(request(f"/{name}")) for name in incoming.query()["names"].split(",")]
        except TimeoutError:
            return text("late")
        return text(" ".join(call.result().decode() for call in calls))

    async def quick(incoming: Request) -> Response:
        return text(incoming.path)

    async def slow(_request: Request) -> Response:
        await asyncio.sleep(30)
        raise AssertionError

    routes = [Route("GET", path, how, OWN_ERRORS) for path, how in (("/a", quick), ("/b", quick), ("/slow", slow))]
    with serving(routes) as other, handled(handler) as client:
        assert client.get("/handler?limit=30&names=a,b").body == b"/a /b"
        began = time.monotonic()
        assert client.get("/handler?limit=0.05&names=a,slow").body == b"late"
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("fast", [True, False])
def test_failures_are_responses_in_both_kinds(handled: Any, fast: bool) -> None:
    """A ServeError has its own status, anything else is 500, a cancellation that nobody asked for too."""

    async def handler(request: Request) -> Response:
        what = request.query()["what"]
        if what == "input":
            raise BadInputError("no")
        if what == "cancelled":
            raise asyncio.CancelledError
        raise KeyError(what)

    with handled(handler, fast=fast) as client:
        assert client.get("/handler?what=input").status == 400
        for what in ("key", "cancelled"):
            answer = client.get(f"/handler?what={what}")
            assert (answer.status, answer.json()["error"]["code"]) == (500, "internal")


@pytest.mark.parametrize("fast", [True, False])
def test_a_body_that_comes_in_pieces_reaches_both_kinds(handled: Any, fast: bool) -> None:
    """The handler waits for the rest of the body, and has it whole."""

    async def handler(request: Request) -> Response:
        return Response(200, await request.body(), b"text/plain")

    with handled(handler, fast=fast) as client, client.connect() as connection:
        connection.sendall(POST % 6)
        for piece in (b"ab", b"cd", b"ef"):
            time.sleep(0.01)
            connection.sendall(piece)
        assert connection.recv(1000).endswith(b"\r\n\r\nabcdef")


Ends = tuple[list[str], threading.Event, Callable[[Request], Any]]


def waiting() -> Ends:
    """A handler that waits until it is ended, how it ended, and the event of its start."""
    ended: list[str] = []
    begun = threading.Event()

    async def handler(_request: Request) -> Response:
        begun.set()
        try:
            await asyncio.get_running_loop().create_future()
        except (asyncio.CancelledError, ServeError) as error:
            ended.append(type(error).__name__)
            raise
        raise AssertionError

    return ended, begun, handler


def eventually(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize(("fast", "how"), [(True, ClientGoneError.__name__), (False, "CancelledError")])
def test_a_client_that_leaves_ends_both_kinds(handled: Any, fast: bool, how: str, tmp_path: Path) -> None:
    """The handler is ended where it waits, and the log has 499."""
    ended, begun, handler = waiting()
    log = Log(os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT))
    with handled(handler, fast=fast, log=log) as client:
        with client.connect() as connection:
            connection.sendall(POST % 0)
            assert begun.wait(20)
        eventually(lambda: ended)
    assert ended == [how]
    log.close()
    (line,) = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert (line["status"], line["error"]) == (499, "client_gone")


@pytest.mark.parametrize(("fast", "how"), [(True, DeadlineError.__name__), (False, "CancelledError")])
def test_the_deadline_ends_both_kinds(handled: Any, fast: bool, how: str) -> None:
    """504 for the client, and the handler does not go on."""
    ended, _, handler = waiting()
    with handled(handler, fast=fast, settings=Settings(deadline_s=0.05)) as client:
        answer = client.get("/handler")
        assert (answer.status, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
        eventually(lambda: ended)
    assert ended == [how]


def test_a_deadline_that_is_caught_comes_again(handled: Any) -> None:
    """A handler that goes on after it was told to end does not keep its request for ever."""
    caught: list[str] = []

    async def handler(_request: Request) -> Response:
        for _ in range(3):
            try:
                await asyncio.get_running_loop().create_future()
            except DeadlineError as error:  # noqa: PERF203 - that it goes on is the case
                caught.append(error.code)
        raise DeadlineError("three times")

    with handled(handler, fast=True, settings=Settings(deadline_s=0.05)) as client:
        assert client.get("/handler").status == 504
    assert caught == ["deadline_exceeded"] * 3


def installed(python: str) -> Path | None:
    """An interpreter of this minor version: on the PATH, or beside the one that runs this, where version managers keep others."""
    beside = sorted(Path(sys.base_prefix).parent.glob(f"{python}.*/bin/python{python}"))
    on_path = shutil.which(f"python{python}")
    found = [*beside, *([] if on_path is None else [Path(on_path)])]
    works = (one for one in found if subprocess.run([one, "-c", ""], capture_output=True, check=False).returncode == 0)
    return next(works, None)


@pytest.mark.parametrize("python", sorted(SUPPORTED))
def test_futures_work_with_the_driver(python: str, tmp_path: Path) -> None:
    """What the driver relies on holds on each supported Python; `python -m mlpack.runtime` checks it where it serves."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        driver.check()
        return
    interpreter = installed(python)
    if interpreter is None:
        pytest.skip(f"Python {python} is not installed")
    shutil.copyfile(str(driver.__file__), tmp_path / "driver.py")
    done = subprocess.run(
        [interpreter, "-c", "from driver import check; check()"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
