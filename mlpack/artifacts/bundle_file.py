"""BundleFile, one file of a bundle, and the digest of several files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class BundleFile:
    """One file of the bundle: its POSIX path in the folder, and either its content or the source file.

    `sha256` is the hex digest of the content; `size` in bytes. A large file is always streamed from `source`, never read
    into memory. With `member`, `source` is an archive, and the file is that member of it.
    """

    name: str
    size: int
    sha256: str
    content: bytes | None = None
    source: Path | None = None
    member: str | None = None
    mode: int = 0o644

    @classmethod
    def of_bytes(cls, name: str, content: bytes, *, mode: int = 0o644) -> BundleFile:
        """Make a file with this content."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(name=name, size=len(content), sha256=digest, content=content, mode=mode)


def files_digest(files: Iterable[BundleFile], *first: str) -> str:
    """`sha256:...` over lines: the lines `first`, then mode, content digest and name of each file, in order."""
    lines = [*first, *(f"{file.mode:o} {file.sha256} {file.name}" for file in files)]
    return f"sha256:{hashlib.sha256(chr(10).join(lines).encode('utf-8', 'surrogateescape')).hexdigest()}"
