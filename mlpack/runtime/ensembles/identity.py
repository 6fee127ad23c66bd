"""Identity tokens for private services of Cloud Run, from the metadata server of the platform."""

from __future__ import annotations

import base64
import json
import os
import time
from typing import Dict, Tuple

import aiohttp

from .member_client import Token

# The environment variable is that of Google's own libraries.
_HOST = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
_PATH = "/computeMetadata/v1/instance/service-accounts/default/identity"
_EARLIER_S = 300.0  # before its end a token is replaced
_TIMEOUT_S = 5.0


class IdentityTokens:
    """Fetches tokens and keeps each until five minutes before it expires."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._kept: Dict[str, Tuple[str, float]] = {}

    def for_audience(self, audience: str) -> Token:
        """A function that gives a valid token for the audience, which is the URL of the service that is called."""

        async def token() -> str:
            kept, expires = self._kept.get(audience, ("", 0.0))
            if time.time() < expires - _EARLIER_S:
                return kept
            fresh = await self._fetch(audience)
            self._kept[audience] = fresh, _expiry(fresh)
            return fresh

        return token

    async def _fetch(self, audience: str) -> str:
        """Raises aiohttp.ClientError, OSError, asyncio.TimeoutError."""
        async with self._session.get(
            f"http://{_HOST}{_PATH}",
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
