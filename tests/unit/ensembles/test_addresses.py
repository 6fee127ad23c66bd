"""The addresses of a member with several containers: those that are not ready are left out."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from mlpack.runtime.ensembles.addresses import ReadyAddresses
from mlpack.runtime.ensembles.plan import Member
from tests.ports import free_port
from tests.standins.member import constant, member


class Replicas(AbstractResolver):
    """A name server that gives every name the addresses of services on these ports of this machine."""

    def __init__(self, *ports: int) -> None:
        self.ports = ports

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses, whatever the port."""
        del port
        return [
            ResolveResult(hostname=host, host="127.0.0.1", port=one, family=family, proto=0, flags=0)
            for one in self.ports
        ]

    async def close(self) -> None:
        """Nothing is open."""


def found(url: str, *ports: int, host: str = "linear") -> list[int]:
    """The ports that are left for new connections to `host`, with the member at `url`."""
    entry: dict[str, Any] = {"name": "linear", "url": url, "model": "linear", "contract": "v2", "queries": {}}

    async def resolve() -> list[int]:
        addresses = ReadyAddresses([Member.from_json(entry)], Replicas(*ports))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=addresses)) as session:
            addresses.session = session
            return [one["port"] for one in await addresses.resolve(host, 8080)]

    return asyncio.run(resolve())


def test_a_container_that_is_not_ready_gets_no_connections() -> None:
    """Of two addresses the one is left that answers 200; a closed port is not ready either; without a ready one all are."""
    closed = free_port()
    with member(constant(1)) as ready, member(constant(1)) as loading:
        one, other = ready.server_address[1], loading.server_address[1]
        assert found("http://linear:8080", one, other) == [one, other]
        loading.healthy = False
        assert found("http://linear:8080", one, other, closed) == [one]
        ready.healthy = False
        assert found("http://linear:8080", one, other) == [one, other]


def test_only_members_without_tls_are_checked() -> None:
    """The addresses of any other host are used as they are."""
    with member(constant(1)) as ready:
        one, closed = ready.server_address[1], free_port()
        assert found("http://linear:8080", one, closed) == [one]
        assert found("https://linear:8080", one, closed) == [one, closed]
        assert found("http://linear:8080", one, closed, host="metadata") == [one, closed]
