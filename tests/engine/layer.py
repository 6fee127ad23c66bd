"""The stand-in's one layer: Debian's files without docs, and the names that the real image has."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

DROPPED = re.compile(
    r"""
      (usr/share/(doc|man|info|locale|lintian|linda|groff|bug)/ .* [^/]$)
    | var/(lib/apt/lists|cache/apt|cache/debconf|log)/ .* [^/]$
    | var/lib/dpkg/.*-old$
    | dev/.+
    | .*/__pycache__/.*                          # nor has the real image any
    | usr/share/zoneinfo/(right|posix)/.*
    | usr/lib/python3[^/]*/EXTERNALLY-MANAGED$   # the real image lets pip install
    """,
    re.VERBOSE,
)
# What an apt-get install in a later layer shall leave out too, as in the real slim image.
DPKG = "".join(
    f"path-exclude /usr/share/{folder}/*\n" for folder in ("doc", "man", "info", "locale", "lintian", "groff")
)
# The archive that the base came from serves what is added to it as well.
APT = """\
deb {archive} {suite} main
deb {archive} {suite}-updates main
"""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer on disk, and how a registry names it packed and unpacked."""

    path: Path
    size: int
    digest: str
    diff_id: str


def write_layer(debian: Path, target: Path, *, python: str, suite: str, archive: str) -> Layer:
    """Copy Debian's tar into a layer, member by member."""
    with target.open("wb") as file:
        packed = _Hashing(file)
        # Level 1: loopback is fast, and this is waited for.
        with gzip.GzipFile("", "wb", 1, packed, mtime=0) as gzipped:
            plain = _Hashing(gzipped)
            with (
                tarfile.open(debian, "r|") as source,
                tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as layer,
            ):
                for member in source:
                    if not _dropped(member):
                        layer.addfile(member, source.extractfile(member) if member.isreg() else None)
                for member, content in _added(python, suite, archive):
                    layer.addfile(member, io.BytesIO(content))
    return Layer(path=target, size=target.stat().st_size, digest=packed.digest, diff_id=plain.digest)


def _dropped(member: tarfile.TarInfo) -> bool:
    name = member.name.removeprefix("./")
    folder_stays = member.isdir() and not name.startswith("dev/")
    added = "etc/apt/sources.list"
    return name == added or (not folder_stays and bool(DROPPED.match(name)))


def _added(python: str, suite: str, archive: str) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    bin_ = "./usr/local/bin"
    links = {
        f"python{python}": f"/usr/bin/python{python}",
        "python3": f"python{python}",
        "python": "python3",
        f"pip{python}": "/usr/bin/pip3",
        "pip3": f"pip{python}",
        "pip": "pip3",
    }
    for name, target in links.items():
        link = tarfile.TarInfo(f"{bin_}/{name}")
        link.type, link.linkname, link.mode = tarfile.SYMTYPE, target, 0o777
        yield link, b""
    files = {
        "./etc/apt/sources.list": APT.format(suite=suite, archive=archive),
        "./etc/dpkg/dpkg.cfg.d/docker": DPKG,
    }
    for name, text in files.items():
        file = tarfile.TarInfo(name)
        file.size, file.mode = len(text.encode()), 0o644
        yield file, text.encode()


class _Hashing(io.RawIOBase):
    """A file that is written through and hashed on the way."""

    def __init__(self, file: BinaryIO | gzip.GzipFile) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # bytes is all we are given
        self._hash.update(data)
        return self._file.write(data)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
