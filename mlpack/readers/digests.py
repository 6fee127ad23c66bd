"""The SHA-256 of a file or a folder, streamed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

_CHUNK = 1 << 20


def sha256_of(path: Path, on_progress: Callable[[int, int], None] | None = None) -> str:
    """`sha256:` and the hex digest of a file, or of a folder's files (relative names, sizes, bytes; sorted by name).

    `on_progress` gets (bytes done, total bytes). A link in a folder is hashed by its target's path. Raises OSError.
    """
    digest = hashlib.sha256()
    files = [path] if path.is_file() else list(_files(path))
    total = sum(file.stat().st_size for file in files if file.is_file() and not (file.is_symlink() and file != path))
    done = 0
    for file in files:
        if file != path:
            linked = file.is_symlink()
            what = f"link {file.readlink()}" if linked else f"file {file.stat().st_size}"
            digest.update(f"{file.relative_to(path).as_posix()}\0{what}\0".encode("utf-8", "surrogateescape"))
            if linked:
                continue
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                done += len(chunk)
                if on_progress:
                    on_progress(done, total)
    return f"sha256:{digest.hexdigest()}"


def _files(folder: Path) -> Iterator[Path]:
    """Regular files and links below a folder, sorted by relative POSIX name; links are not followed."""
    found: list[Path] = []
    left = [folder]
    while left:
        for item in left.pop().iterdir():
            if item.is_dir() and not item.is_symlink():
                left.append(item)
            elif item.is_symlink() or item.is_file():
                found.append(item)
    yield from sorted(found, key=lambda item: item.relative_to(folder).as_posix())
