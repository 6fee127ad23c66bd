"""Offers to change the protocol (`Upgrade:`), taken out of a request's head before the parser sees them."""

from __future__ import annotations

import re

_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


def without_offers(data: bytes) -> bytes:
    """The bytes without the offer where a request's head begins, as RFC 9110 allows (7.8).

    The parser would take such a request's body for the other protocol's first bytes, and Java's HTTP client offers h2c with
    every first request.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + end + rest
