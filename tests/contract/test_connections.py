"""Clients that are too slow or say too much: each is let go in its way, and nobody else notices."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract import scripted
from tests.contract.conftest import Serve
from tests.contract.served import PATIENCE_S, Server, assemble, started, within

BODY = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]}).encode()
CHUNKED = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
REQUEST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


def connected(server: Server, timeout_s: float = PATIENCE_S) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s)


def heard(client: socket.socket) -> bytes:
    """All that the server says until it closes, though we may have said more than it wanted to hear."""
    parts = []
    while data := client.recv(65536):
        parts.append(data)
    return b"".join(parts)


@pytest.mark.parametrize("header", [b"X-Long: " + b"a" * 70_000, b"\r\n".join(b"X-%d: a" % n for n in range(9_000))])
def test_a_head_without_measure_is_431(iris: Server, header: bytes) -> None:
    """More than 64 KiB of headers, be it one or thousands, end the connection with a status."""
    with connected(iris) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + header)
        assert heard(client).startswith(b"HTTP/1.1 431 ")
    assert iris.request("GET", "/ready").status == 200


@pytest.mark.slow
def test_headers_that_trickle_are_408(iris: Server) -> None:
    """Who has not ended the headers in 20 s is told so and let go, though a byte came now and then; others are served meanwhile."""
    with connected(iris) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        client.settimeout(2)
        said = b""
        for _ in range(20):
            try:
                said = client.recv(65536)
                break
            except TimeoutError:
                client.sendall(b"a")
                assert iris.request("GET", "/livez").status == 200
        assert said.startswith(b"HTTP/1.1 408 ")


def test_requests_sent_ahead_are_answered_in_order(iris: Server) -> None:
    """Fifty requests in one write, more than are kept waiting: fifty answers, and the last may close."""
    with connected(iris) as client:
        last = REQUEST.replace(b"Host: x", b"Host: x\r\nConnection: close")
        client.sendall(REQUEST * 49 + last)
        said = heard(client)
    assert said.count(b"HTTP/1.1 200 OK") == 50
    assert said.count(b'{"predictions":') == 50


def answered(client: socket.socket) -> tuple[bytes, bytes]:
    """The head and the body of one answer."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += client.recv(65536)
    head, _, body = said.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < size:
        body += client.recv(65536)
    assert len(body) == size
    return head, body


def body(row: list[float]) -> bytes:
    return json.dumps({"instances": [row]}).encode()


ROWS = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3], [5.9, 3.0, 4.2, 1.5]]
LABELS = [b'{"predictions":[0]}', b'{"predictions":[2]}', b'{"predictions":[1]}']


def test_the_same_head_again_and_again(iris: Server) -> None:
    """What a client repeats word by word has its own body each time, in one piece, in several, or after another request."""
    head = REQUEST[: -len(BODY)]
    ids = set()
    with connected(iris) as client:
        for number in (0, 1, 2, 1, 0):
            client.sendall(head + body(ROWS[number]))
            told, said = answered(client)
            assert said == LABELS[number]
            ids.add(told.partition(b"x-request-id: ")[2])
        whole = head + body(ROWS[1])
        for cut in (10, len(head) - 2, len(head), len(head) + 7):
            client.sendall(whole[:cut])
            assert iris.request("GET", "/livez").status == 200  # by then the first piece has been read
            client.sendall(whole[cut:])
            assert answered(client)[1] == LABELS[1]
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answered(client)[1] == b'{"alive":true}'
        client.sendall(whole)
        assert answered(client)[1] == LABELS[1]
        client.sendall(whole + head + body(ROWS[2]))
        client.sendall(head.replace(b"Host: x", b"Host: x\r\nConnection: close") + body(ROWS[0]))
        said = heard(client)
    assert len(ids) == 5
    assert [said.find(one) >= 0 for one in LABELS] == [True] * 3
    assert said.find(LABELS[1]) < said.find(LABELS[2]) < said.find(LABELS[0])


def test_a_head_like_the_last_one_is_another(iris: Server) -> None:
    """Same length, another path or verb or header: each is read for what it is."""
    with connected(iris) as client:
        for line, status in ((b"/predict", 200), (b"/predicT", 404), (b"/predict", 200)):
            client.sendall(REQUEST.replace(b"/predict", line))
            assert answered(client)[0].startswith(b"HTTP/1.1 %d " % status)
        typed = REQUEST.replace(b"Host: x", b"Host: x\r\nContent-Type: text/html")
        for _ in range(2):
            client.sendall(typed)
            assert answered(client)[0].startswith(b"HTTP/1.1 415 ")


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
def test_a_body_is_never_taken_for_a_head(iris: Server, newline: bytes) -> None:
    """Who hides empty lines and a request in a body gets the answers of what was really sent, the second time as well."""
    hidden = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
    inside = b"\r\n\r\n" + hidden + b"\r\n\r\n"
    head = newline.join((b"POST /predict HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(inside), b"", b""))
    with connected(iris) as client:
        for _ in range(3):
            client.sendall(head + inside)
            try:
                told, said = answered(client)
            except ValueError:  # the server has ended the connection, as it may where a line ends without CR
                assert newline == b"\n"
                return
            assert (told.split(b" ")[1], b"alive" in said) == (b"400", False)
            if b"connection: close" in told:
                return


def memory(server: Server) -> float:
    """Bytes of the server's process, once it has answered; /metrics tells them with a delay."""
    assert server.request("GET", "/livez").status == 200
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return float(pages * os.sysconf("SC_PAGE_SIZE"))


def test_who_leaves_amid_a_body_leaves_nothing(tmp_path: Path) -> None:
    """Sixty clients send three of four megabytes each and go: what they sent is not kept."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n"
    app: dict[str, Any] = scripted.APP
    with started(assemble(tmp_path / "app", **app)) as server:
        before = memory(server)
        for _ in range(60):
            with connected(server) as client:
                client.sendall(head + b" " * 3_000_000)
        assert memory(server) - before < 60e6


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that does what its rows say."""
    app: dict[str, Any] = scripted.APP
    with started(assemble(tmp_path_factory.mktemp("scripted") / "app", **app)) as found:
        yield found


def asking(code: float, value: float) -> bytes:
    text = json.dumps({"instances": [[code, value]]}).encode()
    return b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)


def counted(server: Server) -> dict[str, int]:
    """Answers by route and status, as the service counts them."""
    text = server.request("GET", "/metrics").body.decode()
    lines = [line.partition("mlpack_requests_total")[2].rsplit(" ", 1) for line in text.splitlines()]
    return {line[0]: int(line[1]) for line in lines if line[0].startswith("{")}


@pytest.mark.parametrize(
    ("pieces", "statuses"),
    [
        ([asking(0, 1) * 2 + b"?\r\n\r\n"], [b"200", b"200", b"400"]),
        ([asking(1, 0.4), b"?\r\n\r\n"], [b"200", b"400"]),
        ([asking(1, 0.4) + asking(0, 1), b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000], [b"200", b"200", b"431"]),
        ([asking(0, 1), CHUNKED + b"zz\r\n"], [b"200", b"400"]),
        ([CHUNKED, b"zz\r\n"], [b"400"]),
        ([asking(0, 1).replace(b"Host: x", b"Connection: close") + b"?\r\n\r\n"], [b"200"]),
    ],
)
def test_what_is_no_request_costs_those_before_it_nothing(server: Server, pieces: list[bytes], statuses: Any) -> None:
    """Whole requests are answered, then what came behind them is refused; each answer counts once."""
    before = counted(server)
    with connected(server) as client:
        for piece in pieces:
            client.sendall(piece)
            assert server.request("GET", "/livez").status == 200  # by then it has been read
        said = heard(client)
    assert re.findall(rb"HTTP/1\.1 (\d+) ", said) == statuses
    told = {name: count - before.get(name, 0) for name, count in counted(server).items()}
    found = {status: sum(count for name, count in told.items() if "livez" not in name and "/metrics" not in name and f'"{status}"' in name)
             for status in ("200", "400", "other", "499")}  # fmt: skip
    wanted = {"200": statuses.count(b"200"), "400": statuses.count(b"400"), "other": statuses.count(b"431"), "499": 0}
    assert found == wanted, told


def test_each_request_of_a_client_that_leaves_is_told(serve: Serve) -> None:
    """Three were sent ahead and none was answered: three lines and counts of 499, also of those that nobody had begun."""
    server = serve(**scripted.APP)
    with connected(server) as client:
        client.sendall(asking(1, 20) * 3)
        assert server.request("GET", "/livez").status == 200
    within(
        lambda: sum(count for name, count in counted(server).items() if '"499"' in name) == 3, lambda: counted(server)
    )
    server.stop()
    assert [line["path"] for line in server.log() if line.get("status") == 499] == ["/predict"] * 3


def test_nothing_is_answered_behind_the_last(iris: Server) -> None:
    """A body that is too large ends the connection, also when its rest comes together with another request."""
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connected(iris) as client:
        client.sendall(head + b"10000\r\n" + b" " * 0x10000 + b"\r\n")  # as much as this server takes
        assert iris.request("GET", "/livez").status == 200  # by then that has been read
        client.sendall(b"1\r\n \r\n0\r\n\r\n" + REQUEST)
        said = heard(client)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert said.count(b"HTTP/1.1 ") == 1


def test_trailers_are_no_headers(iris: Server) -> None:
    """What comes after a body changes nothing of what was asked."""
    chunked = b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\nContent-Encoding: gzip\r\n\r\n"
    with connected(iris) as client:
        client.sendall(chunked % (len(BODY), BODY))
        assert answered(client)[1] == LABELS[0]


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_request_is_400(iris: Server, garbage: bytes) -> None:
    """TLS on a plain port, text, a version that is none: 400 and the end."""
    with connected(iris) as client:
        client.sendall(garbage)
        client.shutdown(socket.SHUT_WR)
        assert heard(client).startswith(b"HTTP/1.1 400 ")


def test_an_unknown_method_is_501(iris: Server) -> None:
    """With an error in the service's own form, which names the method."""
    with connected(iris) as client:
        client.sendall(b"BREW /predict HTTP/1.1\r\nHost: x\r\n\r\n")
        head, _, body = heard(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 501 Not Implemented\r\ncontent-type: application/json\r\n")
    error = json.loads(body)["error"]
    assert (error["code"], "BREW" in error["message"]) == ("bad_request", True)
