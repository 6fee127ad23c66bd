"""Query the package indexes: the files of a distribution, the Pythons they need, their upload times."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from mlpack.errors import ResolveError
from mlpack.packages.index.http import fetch
from mlpack.packages.index.pages import IndexFile, parse_page
from mlpack.packages.names import normalise, redact
from mlpack.packages.parallel import run_parallel
from mlpack.packages.settings import PackageSettings
from mlpack.packages.wheels import parse_wheel

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
MAX_PAGE = 200 * 1024**2  # bytes; the largest pages of PyPI are some 20 MB


def query(name: str, settings: PackageSettings) -> tuple[IndexFile, ...]:
    """All files of a distribution, from every index and folder of the settings; empty when none of them has it.

    Raises IndexUnreachableError (no answer, an untrusted certificate, no login) and ResolveError for an unreadable page.
    """
    files: list[IndexFile] = []
    for place in settings.find_links:
        files += _listed(place, name, settings)
    for index in settings.indexes:
        files += page(index, name, settings)
    return tuple(files)


def query_all(names: Iterable[str], settings: PackageSettings) -> dict[str, tuple[IndexFile, ...]]:
    """The result for each name; the requests run in parallel."""
    wanted = sorted(set(names))
    return dict(zip(wanted, run_parallel(lambda name: query(name, settings), wanted), strict=True))


def page(index: str, name: str, settings: PackageSettings) -> tuple[IndexFile, ...]:
    """The files of a distribution on one index."""
    address = f"{index}/{normalise(name)}/"
    if index.startswith("file:"):
        path = _local(address) / "index.html"
        if not path.is_file():
            return ()
        return parse_page(path.read_text(encoding="utf-8"), "text/html", path.as_uri())
    return _fetched_page(address, settings)


def local_path(url: str) -> Path | None:
    """The path of a `file:` address or a plain path; None for any other address."""
    if url.startswith("file:"):
        return _local(url)
    return None if "://" in url else Path(url)


def is_loopback(url: str) -> bool:
    """Whether an address is a loopback one, which a build's container cannot use."""
    host = (urlsplit(url).hostname or "").lower()
    return host in ("localhost", "::1") or host.startswith("127.")


def _listed(place: str, name: str, settings: PackageSettings) -> list[IndexFile]:
    """The files of a distribution in a find-links folder or page."""
    folder = local_path(place)
    if folder is None or folder.is_file():
        everything: Iterable[IndexFile] = (
            parse_page(folder.read_text(encoding="utf-8"), "text/html", folder.as_uri())
            if folder
            else _fetched_page(place, settings)
        )
    elif folder.is_dir():
        everything = [IndexFile(filename=path.name, url=path.as_uri()) for path in sorted(folder.glob("*.whl"))]
    else:
        raise ResolveError(f"the find-links folder {folder} does not exist", hint="Correct PIP_FIND_LINKS or pip.conf.")
    wheels = ((file, parse_wheel(file.filename)) for file in everything)
    return [file for file, wheel in wheels if wheel and wheel.name == normalise(name)]


def _fetched_page(address: str, settings: PackageSettings) -> tuple[IndexFile, ...]:
    answer = fetch(address, settings, accept=ACCEPT)
    if answer is None:  # PEP 503: this index has no such distribution
        return ()
    with answer:
        try:
            body = answer.read(MAX_PAGE)
            if answer.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            return parse_page(body.decode("utf-8", "replace"), answer.headers.get("Content-Type", ""), answer.url)
        except (ValueError, OSError, EOFError, HTTPException) as error:
            raise ResolveError(
                f"{redact(address)} did not return an index page: {error}", hint="Check the index address."
            ) from None


def _local(url: str) -> Path:
    return Path(url2pathname(urlsplit(url).path))
