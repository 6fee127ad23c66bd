"""Clients that are too slow or say too much: each is let go in its way, and nobody else notices."""

from __future__ import annotations

import json
import socket

import pytest

from tests.contract.served import Server

BODY = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]}).encode()
REQUEST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


def connected(server: Server, timeout_s: float = 40) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s)


def heard(client: socket.socket) -> bytes:
    """All that the server says until it closes."""
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


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00\x01\x00", b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"])
def test_what_is_no_request_is_400(iris: Server, garbage: bytes) -> None:
    """TLS on a plain port, text, a version that is none: a bare 400 and the end."""
    with connected(iris) as client:
        client.sendall(garbage)
        client.shutdown(socket.SHUT_WR)
        assert heard(client).startswith(b"HTTP/1.1 400 ")
