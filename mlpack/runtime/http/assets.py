"""Static files: Assets reads a folder once and makes a route of each file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Dict, List, NamedTuple

from .messages import Request, Response, Route, WriteError

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


class Asset(NamedTuple):
    """A file in memory."""

    body: bytes
    media_type: bytes
    etag: str

    async def respond(self, request: Request) -> Response:
        """The file, or 304 where the client has it already (RFC 9110, 13.1.2)."""
        known = [tag.strip() for tag in request.header(b"if-none-match").split(",")]
        status = 304 if self.etag in known or f"W/{self.etag}" in known or "*" in known else 200
        return Response(status, self.body, self.media_type, {"ETag": self.etag, "Cache-Control": "no-cache"})


class Assets:
    """The files below a folder, by their paths in it. Clients may cache them, and check at each use whether they have changed.

    Raises:
        ValueError: a file whose type is not known.
    """

    def __init__(self, folder: Path) -> None:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        self.files: Dict[str, Asset] = {path.relative_to(folder).as_posix(): _read(path) for path in files}

    def routes(self, prefix: str, write_error: WriteError) -> List[Route]:
        """A route for each file, at `prefix` and its path; `write_error` writes failures."""
        return [
            Route("GET", prefix + name, asset.respond, write_error, fast=True, quiet=True)
            for name, asset in self.files.items()
        ]


def _read(path: Path) -> Asset:
    media_type = _TYPES.get(path.suffix)
    if media_type is None:
        raise ValueError(f"the asset {path.name} has none of the known types {', '.join(_TYPES)}")
    body = path.read_bytes()
    return Asset(body, media_type.encode(), f'"{hashlib.sha256(body).hexdigest()[:32]}"')
