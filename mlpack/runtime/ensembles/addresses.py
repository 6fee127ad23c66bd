"""The addresses of members: while a member is replaced, its name has those of two containers, and only one may be ready."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Dict, List, Optional, Sequence, Tuple
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

from .plan import Member

_TIMEOUT_S = 0.5


class ReadyAddresses(AbstractResolver):
    """Resolves names like `resolver`; where a member has several addresses, those that are not ready are left out.

    `session` makes the checks; until it is set, all addresses are used. Only members without TLS are checked: with it, what
    answers at an address is a load balancer.
    """

    def __init__(self, members: Sequence[Member], resolver: AbstractResolver) -> None:
        self.session: Optional[aiohttp.ClientSession] = None
        self._resolver = resolver
        self._paths: Dict[Tuple[str, int], str] = {}
        for member in members:
            url = urlsplit(member.url)
            if url.scheme == "http" and url.hostname:
                self._paths[url.hostname, url.port or 80] = url.path + member.ready_path

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> List[Any]:
        """The addresses for new connections to this host; all of them if none is ready."""
        found: List[Any] = list(await self._resolver.resolve(host, port, family))
        path = self._paths.get((host, port))
        session = self.session
        if path is None or session is None or len(found) < 2:
            return found
        ready = await asyncio.gather(*(_ready(session, one, f"{host}:{port}", path) for one in found))
        return [one for one, is_ready in zip(found, ready) if is_ready] or found

    async def close(self) -> None:
        """Close the resolver inside."""
        await self._resolver.close()


async def _ready(session: aiohttp.ClientSession, address: Any, host: str, path: str) -> bool:
    """Whether the service at the address says that it is ready."""
    name = f"[{address['host']}]" if ":" in address["host"] else address["host"]
    headers, limit = {"Host": host, "Connection": "close"}, aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with session.get(
            f"http://{name}:{address['port']}{path}", headers=headers, timeout=limit, allow_redirects=False
        ) as answer:
            return answer.status == 200
    except (asyncio.TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return False
