"""Responses whose bodies come piece by piece: framing, speed of the client, and all the ways in which they end early."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from mlpack.runtime.http.messages import Request, Response, Route
from mlpack.runtime.protocols.own import OWN_ERRORS
from mlpack.runtime.settings import Settings
from mlpack.runtime.telemetry.logs import Log
from tests.unit.runtime.services import LOOPS, SETTINGS, Client, serving

GET = b"GET / HTTP/1.%d\r\nhost: x\r\n\r\n"
Pieces = Callable[[], AsyncIterator[bytes]]


@pytest.fixture(params=LOOPS)
def streamed(request: pytest.FixtureRequest) -> Any:
    """Serves these pieces at /, on each kind of event loop."""

    @contextmanager
    def serve(pieces: Pieces, settings: Settings = SETTINGS, **more: Any) -> Iterator[Client]:
        async def handler(_request: Request) -> Response:
            return Response(200, pieces(), b"text/plain", {"X-Own": "yes"})

        route = Route("GET", "/", handler, OWN_ERRORS, fast=True)
        with serving([route], settings, kind=request.param, **more) as client:
            yield client

    return serve


async def three() -> AsyncIterator[bytes]:
    """Three pieces, and an empty one, which must not be taken for the end."""
    for piece in (b"one ", b"", b"two ", b"three"):
        await asyncio.sleep(0)
        yield piece


def read_all(connection: Any) -> bytes:
    """All that comes until the server closes."""
    found = []
    while data := connection.recv(2**20):
        found.append(data)
    return b"".join(found)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_http_1_1_has_chunks_and_keeps_the_connection(streamed: Any) -> None:
    """Several streams, one after the other, on one connection."""
    with streamed(three) as client:
        connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
        for _ in range(3):
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert (answer.getheader("transfer-encoding"), answer.getheader("x-own")) == ("chunked", "yes")
            assert answer.getheader("content-length") is None
            assert answer.read() == b"one two three"
        connection.request("HEAD", "/")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"one two three"
        connection.close()


def test_the_bytes_of_the_chunks(streamed: Any) -> None:
    """Sizes in hexadecimal digits, the last chunk is empty."""
    with streamed(three) as client, client.connect() as connection:
        connection.sendall(GET % 1)
        found = b""
        while not found.endswith(b"\r\n0\r\n\r\n"):
            found += connection.recv(65536)
        assert found.partition(b"\r\n\r\n")[2] == b"4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"


def test_http_1_0_ends_with_the_connection(streamed: Any) -> None:
    """No chunks: the body is what comes until the server closes."""
    with streamed(three) as client, client.connect() as connection:
        connection.sendall(GET % 0)
        head, _, body = read_all(connection).partition(b"\r\n\r\n")
        assert b"connection: close" in head
        assert b"transfer-encoding" not in head
        assert body == b"one two three"


def test_a_client_that_does_not_read_stops_the_iterator(streamed: Any) -> None:
    """Only what fits into the buffers is made before the client reads on; then all of it arrives."""
    made = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(1000):
            made += 1
            yield bytes(65536)

    with streamed(pieces) as client, client.connect() as connection:
        connection.sendall(GET % 0)
        before = -1
        while made != before:
            before = made
            time.sleep(0.1)
        assert 0 < made < 500
        body = read_all(connection).partition(b"\r\n\r\n")[2]
        assert len(body) == 1000 * 65536


def test_an_iterator_that_never_waits_leaves_the_loop_its_turns(streamed: Any) -> None:
    """Other work of the event loop runs between two pieces, although no buffer is full."""

    async def pieces() -> AsyncIterator[bytes]:
        turns: list[int] = []
        asyncio.get_running_loop().call_soon(turns.append, 1)
        yield b"first "
        yield b"free" if turns else b"held"

    with streamed(pieces) as client:
        assert client.get("/").body == b"first free"


class Endless:
    """Pieces without an end, and how the iterator ended."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.how = ""

    async def pieces(self) -> AsyncIterator[bytes]:
        """One every millisecond."""
        try:
            while True:
                yield b"tick\n"
                await asyncio.sleep(0.001)
        except BaseException as error:
            self.how = type(error).__name__
            raise
        finally:
            await asyncio.sleep(0)  # what an iterator does to clean up may wait
            self.ended.set()


def test_a_client_that_leaves_cancels_the_iterator(streamed: Any, tmp_path: Path) -> None:
    """The iterator cleans up, and the log says that the client has gone, with what it got."""
    endless = Endless()
    log = Log(os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT))
    with streamed(endless.pieces, log=log) as client:
        with client.connect() as connection:
            connection.sendall(GET % 1)
            connection.recv(100)
        assert endless.ended.wait(20)
    assert endless.how in ("CancelledError", "GeneratorExit")
    log.close()
    (line,) = lines_of(tmp_path / "log")
    assert (line["status"], line["error"]) == (499, "client_gone")
    assert int(line["httpRequest"]["responseSize"]) >= 5


@pytest.mark.parametrize("minor", [0, 1])
def test_an_iterator_that_fails_breaks_the_response_off(streamed: Any, minor: int, tmp_path: Path) -> None:
    """The client sees that the body is not whole, and the log has the trace."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"some"
        await asyncio.sleep(0.01)
        raise OSError("the disk is on fire")

    log = Log(os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT))
    with streamed(pieces, log=log) as client, client.connect() as connection:
        connection.sendall(GET % minor)
        try:
            assert b"0\r\n\r\n" not in read_all(connection)
            assert minor == 1, "without chunks only a reset shows it"
        except ConnectionResetError:
            pass
    log.close()
    failure, line = lines_of(tmp_path / "log")
    assert "the disk is on fire" in failure["stack_trace"]
    assert (line["status"], line["error"]) == (500, "internal")


def test_the_deadline_is_for_the_beginning(streamed: Any) -> None:
    """A stream may take longer than a request without one may."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(4):
            await asyncio.sleep(0.1)
            yield b"x"

    with streamed(pieces, Settings(deadline_s=0.1)) as client:
        assert client.get("/").body == b"xxxx"


def test_the_server_ends_a_stream_before_it_stops(streamed: Any) -> None:
    """A stream that is under way at SIGTERM is sent to its end."""
    begun = threading.Event()

    async def pieces() -> AsyncIterator[bytes]:
        begun.set()
        for _ in range(5):
            yield b"x"
            await asyncio.sleep(0.1)

    with streamed(pieces) as client, client.connect() as connection:
        connection.sendall(GET % 1)
        assert begun.wait(20)
        client.server.should_exit = True
        assert read_all(connection).endswith(b"0\r\n\r\n")


def test_the_drain_cuts_off_a_stream_without_an_end(streamed: Any) -> None:
    """After the drain's time the server stops all the same, and the client sees no proper end."""
    endless = Endless()
    with streamed(endless.pieces, drain_s=0.1) as client, client.connect() as connection:
        connection.sendall(GET % 1)
        connection.recv(100)
        client.server.should_exit = True
        with suppress(ConnectionResetError):
            assert not read_all(connection).endswith(b"0\r\n\r\n")
        assert endless.ended.wait(20)
