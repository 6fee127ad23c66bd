"""The coordinator's identity tokens come from a metadata server, are kept, and are replaced before they expire."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from mlpack.runtime.ensembles.identity import IdentityTokenError, IdentityTokens


class MetadataServer(ThreadingHTTPServer):
    """Gives tokens that are valid for `life` seconds, as the platform's server does. `audiences` are those asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.life = 3600.0
        self.broken = False
        self.audiences: list[str] = []

    @property
    def host(self) -> str:
        """As GCE_METADATA_HOST holds it."""
        return f"127.0.0.1:{self.server_address[1]}"


class _Request(BaseHTTPRequestHandler):
    server: MetadataServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """A token for the audience in the query."""
        parts = urlsplit(self.path)
        right = parts.path == "/computeMetadata/v1/instance/service-accounts/default/identity"
        if not right or self.headers.get("Metadata-Flavor") != "Google" or self.server.broken:
            self.send_error(503 if self.server.broken else 403)
            return
        audience = parse_qs(parts.query)["audience"][0]
        self.server.audiences.append(audience)
        time.sleep(0.05)  # the other callers wait meanwhile
        claims = {"aud": audience, "exp": time.time() + self.server.life, "number": len(self.server.audiences)}
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"head." + body + b".signature\n")


@pytest.fixture
def metadata() -> Iterator[MetadataServer]:
    with MetadataServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def with_tokens(metadata: MetadataServer, work: Callable[[IdentityTokens], Awaitable[Any]]) -> Any:
    """What `work` returns, run with tokens of the server."""

    async def run() -> Any:
        async with aiohttp.ClientSession() as session:
            return await work(IdentityTokens(session, metadata.host))

    return asyncio.run(run())


def test_a_token_is_fetched_once_for_each_audience(metadata: MetadataServer) -> None:
    """Also when many calls need it at the same time."""

    async def work(tokens: IdentityTokens) -> list[str]:
        first, second = tokens.for_audience("https://a.example"), tokens.for_audience("https://b.example")
        return await asyncio.gather(*(first() for _ in range(20)), *(second() for _ in range(20)))

    found = with_tokens(metadata, work)
    assert sorted(metadata.audiences) == ["https://a.example", "https://b.example"]
    assert len(set(found)) == 2
    assert not any(token.endswith("\n") for token in found)


def test_a_token_is_replaced_before_it_expires(metadata: MetadataServer) -> None:
    """Five minutes earlier; and if the server then gives none, the kept one is used."""
    metadata.life = 200.0  # so every token is one that must be replaced

    async def work(tokens: IdentityTokens) -> list[str]:
        token = tokens.for_audience("https://a.example")
        found = [await token(), await token()]
        metadata.broken = True
        return [*found, await token()]

    first, second, third = with_tokens(metadata, work)
    assert first != second
    assert second == third
    assert len(metadata.audiences) == 2


def test_without_a_valid_token_the_call_fails(metadata: MetadataServer) -> None:
    """The error says what is missing; it is one of those after which a member counts as not reached."""
    metadata.broken = True

    async def work(tokens: IdentityTokens) -> str:
        return await tokens.for_audience("https://a.example")()

    with pytest.raises(IdentityTokenError, match="gives no identity token: 503"):
        with_tokens(metadata, work)
    assert issubclass(IdentityTokenError, aiohttp.ClientConnectionError)
