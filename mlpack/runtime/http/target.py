"""The target of a request's line: its path and its query."""

from __future__ import annotations

from typing import Tuple
from urllib.parse import unquote

import httptools


def target_of(url: bytes) -> Tuple[str, bytes]:
    """The path, decoded, and the query as it came."""
    if not url.startswith(b"/"):  # absolute-form, `*`, or nothing that has a path
        try:
            parsed = httptools.parse_url(url)
        except httptools.HttpParserInvalidURLError:
            return url.decode("latin-1"), b""
        url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
    path, _, query = url.partition(b"?")
    text = path.decode("latin-1")
    return (unquote(text) if "%" in text else text), query
