"""One file of a bundle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class BundleFile:
    """One file of the bundle: its POSIX path in the folder, and either its bytes or the file they stream from.

    `sha256` is of the content (hex); `size` in bytes. A large artifact stays a path and is never read into memory.
    With `member`, `source` is an archive and that is the file in it.
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
        """A file with this content."""
        digest = hashlib.sha256(content).hexdigest()
        return cls(name=name, size=len(content), sha256=digest, content=content, mode=mode)
