"""Identity tokens for private services of Cloud Run, from the metadata server of the platform."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from typing import Awaitable, Callable, Dict, Tuple

import aiohttp

# The environment variable is that of Google's own libraries.
_HOST = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
_PATH = "/computeMetadata/v1/instance/service-accounts/default/identity"
_EARLIER_S = 300.0  # before its end a token is replaced
_TIMEOUT_S = 5.0
_PAUSE_S = 10.0  # after a failed renewal, while the kept token is still valid


Token = Callable[[], Awaitable[str]]


class IdentityTokenError(aiohttp.ClientConnectionError):
    """The metadata server gives no token, so that the member cannot be called."""


class IdentityTokens:
    """Fetches tokens and keeps each until five minutes before it expires. `host` is the metadata server's."""

    def __init__(self, session: aiohttp.ClientSession, host: str = _HOST) -> None:
        self._session = session
        self._host = host
        self._not_before = 0.0  # by time.monotonic, for a renewal that need not be now
        self._kept: Dict[str, Tuple[str, float]] = {}

    def for_audience(self, audience: str) -> Token:
        """A function that gives a valid token for the audience, which is the URL of the service that is called.

        It must be called in the event loop. The token function raises IdentityTokenError.
        """
        lock = asyncio.Lock()  # one request to the metadata server, however many calls wait for the token

        async def token() -> str:
            if self._valid_s(audience) > _EARLIER_S:
                return self._kept[audience][0]
            if self._valid_s(audience) > 0 and (lock.locked() or time.monotonic() < self._not_before):
                return self._kept[audience][0]  # it is valid while another call renews it
            async with lock:
                if self._valid_s(audience) <= _EARLIER_S:
                    await self._renew(audience)
                return self._kept[audience][0]

        return token

    def _valid_s(self, audience: str) -> float:
        """The seconds until the kept token expires; 0 or less without one that is valid."""
        return self._kept.get(audience, ("", 0.0))[1] - time.time()

    async def _renew(self, audience: str) -> None:
        """Fetch a new token. If that fails, the kept one is used until it expires."""
        try:
            fresh = await self._fetch(audience)
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:
            self._not_before = time.monotonic() + _PAUSE_S
            if self._valid_s(audience) <= 0:
                reason = str(error) or type(error).__name__
                raise IdentityTokenError(f"the metadata server gives no identity token: {reason}") from error
        else:
            self._kept[audience] = fresh, _expiry(fresh)

    async def _fetch(self, audience: str) -> str:
        """Raises aiohttp.ClientError, OSError, asyncio.TimeoutError."""
        async with self._session.get(
            f"http://{self._host}{_PATH}",
            params={"audience": audience, "format": "full"},
            headers={"Metadata-Flavor": "Google"},
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            raise_for_status=True,
        ) as answer:
            return (await answer.text()).strip()


def _expiry(token: str) -> float:
    """The `exp` of a JSON Web Token (RFC 7519, 4.1.4); 0 where it cannot be read, so that it is used once."""
    try:
        payload = token.split(".")[1]
        return float(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"])
    except (IndexError, ValueError, KeyError, TypeError):
        return 0.0
