"""Content negotiation (RFC 9110, 12): what an Accept header prefers, and a route that answers with what is preferred."""

from __future__ import annotations

import re
from typing import Dict, List, Sequence, Tuple

from .messages import Handler, Request, Response, Route

DEFAULT_MEDIA = "application/json"
_WEIGHT = re.compile(r"[01](\.\d{0,3})?")


def accepted(header: str) -> List[str]:
    """The media ranges of an Accept header in lower case, the preferred ones first; [""] where there is no header."""
    ranges = [_weighed(part) for part in header.lower().split(",")]
    return [name for weight, name in sorted(ranges, key=lambda one: -one[0]) if weight]


def preferred(header: str, offered: Sequence[str]) -> str:
    """The offered media type that an Accept header prefers: the first one where it prefers none or accepts none."""
    refused = {name for weight, name in map(_weighed, header.lower().split(",")) if not weight}
    for name in accepted(header):
        for media in offered:
            if media not in refused and name in (media, media.partition("/")[0] + "/*", "*/*", ""):
                return media
    return offered[0]


def negotiated(first: Route, other: Route) -> Route:
    """Two routes of the same path as one; the first answers where the client has no preference."""
    before = first.handler
    handlers = dict(before.handlers) if isinstance(before, _Negotiated) else {first.media or DEFAULT_MEDIA: before}
    handlers.setdefault(other.media, other.handler)
    return first._replace(handler=_Negotiated(handlers), fast=first.fast and other.fast)


class _Negotiated:
    def __init__(self, handlers: Dict[str, Handler]) -> None:
        self.handlers = handlers

    async def __call__(self, request: Request) -> Response:
        response = await self.handlers[preferred(request.header(b"accept"), list(self.handlers))](request)
        return response._replace(headers={**response.headers, "Vary": "Accept"})


def _weighed(part: str) -> Tuple[float, str]:
    name, *parameters = (word.strip() for word in part.split(";"))
    weight = next((word[2:] for word in parameters if word.startswith("q=")), "1")
    return float(weight) if _WEIGHT.fullmatch(weight) else 0.0, name
