"""The client of the checks: it reads what a service answers, and no answer without an end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from mlpack.checks import client as checks_client
from mlpack.checks.client import Client, Unanswered

OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS = {
    "a body without a length": OK + b"\r\n",
    "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n",
    "a header": OK + b"X: ",
    "interim responses": b"",
}
PIECES = {"chunks": b"1\r\na\r\n", "interim responses": b"HTTP/1.1 100 Continue\r\n\r\n"}


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """The address of a server that reads each request's first packet and lets `talk` answer, until the client is gone."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                talking, _ = listener.accept()
                with talking, suppress(OSError):
                    while talking.recv(65536):
                        talk(talking)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.mark.parametrize("name", ENDLESS)
def test_an_answer_that_trickles_ends_in_time(name: str) -> None:
    """Each piece comes in time, the whole never does."""

    def talk(client: socket.socket) -> None:
        client.sendall(ENDLESS[name])
        while True:
            client.sendall(PIECES.get(name, b"a"))
            time.sleep(0.02)

    with (
        serving(talk) as url,
        Client(url, timeout_s=0.3) as client,
        pytest.raises(Unanswered, match=r"timed out|in time"),
    ):
        client.get("/ready")


def test_an_answer_that_is_too_long_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the bound is read, however quickly it comes."""
    monkeypatch.setattr(checks_client, "MOST_BYTES", 1024**2)

    def talk(client: socket.socket) -> None:
        client.sendall(OK + b"\r\n")
        while True:
            client.sendall(b"a" * 65536)

    with serving(talk) as url, Client(url, timeout_s=30) as client, pytest.raises(Unanswered, match="more than 1 MiB"):
        client.get("/ready")


def test_a_connection_is_used_again() -> None:
    """With a length it stays open, with `Connection: close` the whole body is read before it is closed."""

    def talk(client: socket.socket) -> None:
        client.sendall(OK + b"Content-Length: 2\r\n\r\nab")

    def talk_once(client: socket.socket) -> None:
        client.sendall(OK + b"Connection: close\r\n\r\n")
        time.sleep(0.05)
        client.sendall(b"abc")
        client.shutdown(socket.SHUT_WR)

    with serving(talk) as url, Client(url, timeout_s=5) as client:
        assert [client.get("/").text for _ in range(3)] == ["ab"] * 3
    with serving(talk_once) as url, Client(url, timeout_s=5) as client:
        assert [client.get("/").text for _ in range(2)] == ["abc"] * 2
