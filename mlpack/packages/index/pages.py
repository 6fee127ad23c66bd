"""Parse a package's page on an index: PEP 691 JSON, or PEP 503 HTML where an index has no JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit


@dataclass(frozen=True, kw_only=True)
class IndexFile:
    """A file on an index. `upload_time` is RFC 3339 (PEP 700), None where the index has none."""

    filename: str
    url: str
    sha256: str | None = None
    upload_time: str | None = None
    requires_python: str | None = None
    yanked: bool = False


def parse_page(text: str, content_type: str, address: str) -> tuple[IndexFile, ...]:
    """The files on the page found at `address`; raises ValueError when it is not such a page."""
    if "json" in content_type:
        return _from_json(text, address)
    parser = _Links(address)
    parser.feed(text)
    return tuple(parser.files)


def _from_json(text: str, address: str) -> tuple[IndexFile, ...]:
    """PEP 691, with the times of PEP 700."""
    page: Any = json.loads(text)
    if not isinstance(page, dict) or not isinstance(page.get("files"), list):
        raise ValueError("no list of files")  # noqa: TRY004  a page of another kind is a wrong value, not a caller's mistake
    return tuple(
        IndexFile(
            filename=str(file["filename"]),
            url=urljoin(address, str(file["url"])),
            sha256=(file.get("hashes") or {}).get("sha256"),
            upload_time=file.get("upload-time"),
            requires_python=file.get("requires-python"),
            yanked=bool(file.get("yanked")),
        )
        for file in page["files"]
        if isinstance(file, dict) and "filename" in file and "url" in file
    )


class _Links(HTMLParser):
    """PEP 503's links, with their data attributes."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.base = address
        self.files: list[IndexFile] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "base" and given.get("href"):
            self.base = urljoin(self.base, given["href"] or "")
        if tag != "a" or not given.get("href"):
            return
        url, fragment = urldefrag(urljoin(self.base, given["href"] or ""))
        self.files.append(
            IndexFile(
                filename=unquote(urlsplit(url).path.rpartition("/")[2]),
                url=url,
                sha256=fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None,
                upload_time=given.get("data-upload-time"),
                requires_python=given.get("data-requires-python"),
                yanked="data-yanked" in given,
            )
        )
