"""Over a real socket: where a request ends is what its head says, and what its client sends beside it has a bound."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from pathlib import Path

from tests.contract import scripted
from tests.contract.conftest import Serve
from tests.contract.served import PATIENCE_S, Server, within

HEAD = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"


def connected(server: Server) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def answers(client: socket.socket, count: int) -> list[tuple[bytes, bytes]]:
    """Status and body of so many answers, or of all until the server closes."""
    said = b""
    found: list[tuple[bytes, bytes]] = []
    while len(found) < count:
        head, end, rest = said.partition(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head)
        if end and size is not None and len(rest) >= int(size[1]):
            found.append((head.split(b" ")[1], rest[: int(size[1])]))
            said = rest[int(size[1]) :]
            continue
        data = client.recv(65536)
        if not data:
            break
        said += data
    assert said == b""
    return found


def memory(server: Server) -> int:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_no_byte_of_a_body_is_taken_out(iris: Server) -> None:
    """A body that holds an `upgrade:` line behind a head whose last byte came later is whole, and so is the next request."""
    body = b'{"instances":[[5.1,3.5,1.4,0.2]]\r\nupgrade: ' + b"a" * 37 + b"\r\n\r\n}"
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(body)
    with connected(iris) as client:
        for cut in (len(head) - 1, len(head) - 3, len(head), 20):
            client.sendall((head + body)[:cut])
            assert iris.request("GET", "/livez").status == 200  # by then it has been read
            client.sendall((head + body)[cut:] + b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            first, second = answers(client, 2)
            assert first[0] == b"400"  # the body is no JSON
            assert second == (b"200", b'{"alive":true}')


def test_an_offer_sent_ahead_has_one_answer(iris: Server) -> None:
    """Requests with `Upgrade:` in one packet, each with a body: each has its own answer, and nothing more is said."""
    body = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]}).encode()
    request = HEAD + OFFER + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with connected(iris) as client:
        for _ in range(2):
            client.sendall(request * 3 + b"GET /livez HTTP/1.1\r\n" + OFFER + b"\r\n")
            found = answers(client, 4)
            assert found == [(b"200", b'{"predictions":[0]}')] * 3 + [(b"200", b'{"alive":true}')]


def test_trailers_have_an_end(iris: Server) -> None:
    """Who sends trailers without end is refused soon, and none of them is kept."""
    before = memory(iris)
    with connected(iris) as client, contextlib.suppress(ConnectionError):
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
        trailers = b"".join(b"x%07d: %b\r\n" % (n, b"v" * 1000) for n in range(500))
        for _ in range(200):  # 100 MB
            client.sendall(trailers)
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                said = client.recv(65536)
                if said:
                    # 400 where the head came in a packet before the trailers, else 431
                    assert said.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
                    break
            client.setblocking(True)
    assert iris.request("GET", "/livez").status == 200
    assert memory(iris) - before < 30e6


def test_all_bodies_together_have_a_bound(serve: Serve) -> None:
    """Twenty clients send 3 MB of 4 each: for as many as there is room they wait; others are 503, and probes are answered."""
    server = serve(**scripted.APP, settings='max_body="4MB", max_bodies="12MB"')
    before = memory(server)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connected(server)) for _ in range(20)]
        for client in clients:
            with contextlib.suppress(ConnectionError):  # whoever is refused may hear of it while he speaks
                client.sendall(HEAD + b"Content-Length: 4000000\r\n\r\n" + b" " * 3_000_000)
        within(lambda: counted(server) >= 15, server.text)
        assert server.request("GET", "/ready").status == 200
        assert memory(server) - before < 30e6
        refused = server.predict(b"[" + b" " * 3_000_000 + b"]")
        assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "bodies_full", "1")
    within(lambda: server.predict({"instances": [[0, 42]]}).status == 200, server.text)
    text = json.dumps({"instances": [[0, 42]]}).encode() + b" " * 3_000_000
    within(lambda: server.predict(text).status == 200, server.text)


def counted(server: Server) -> int:
    """Answers of 503 on /predict."""
    lines = server.request("GET", "/metrics").body.decode().splitlines()
    found = [
        line for line in lines if line.startswith("mlpack_requests_total{") and '"/predict"' in line and "503" in line
    ]
    return sum(int(line.rpartition(" ")[2]) for line in found)


def test_a_body_is_given_back_however_it_ends(serve: Serve) -> None:
    """More bodies than there is room for, one after the other: answered, refused as no JSON, failed in the model, given up."""
    server = serve(**scripted.APP, settings='max_body="4MB", max_bodies="4MB", deadline_s=20')
    padding = b" " * 3_000_000
    for _ in range(4):
        for text, status in ((b'{"instances":[[0,1]]}', 200), (b"{", 400), (b'{"instances":[[2,1]]}', 500)):
            within(lambda text=text, status=status: server.predict(text + padding).status == status, server.text)  # type: ignore[misc]
        with connected(server) as client:
            client.sendall(HEAD + b"Content-Length: 4000000\r\n\r\n" + padding)
        assert server.request("POST", "/nowhere", padding).status == 404
