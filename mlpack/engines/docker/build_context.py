"""A bundle's files as a tar stream, the same bytes for the same bundle, never more than a chunk in memory."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.progress import OnProgress, Progress
from mlpack.readers.bundle_files import content_of

STEP = "context"
TITLE = "send the bundle"


def tar_stream(files: Iterable[BundleFile]) -> Iterator[bytes]:
    """The tar (pax) of the files in their order, folders before what is in them; owner 0, time 0.

    Raises UnreadableModelError when a file is gone, or is no longer what the bundle was rendered from.
    """
    made: set[PurePosixPath] = set()
    for file in files:
        for folder in reversed(PurePosixPath(file.name).parents):
            if folder != PurePosixPath() and folder not in made:
                made.add(folder)
                yield _header(f"{folder}/", 0, 0o755, tarfile.DIRTYPE)
        yield _header(file.name, file.size, file.mode, tarfile.REGTYPE)
        yield from content_of(file)
        yield b"\0" * (-file.size % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def with_progress(
    files: tuple[BundleFile, ...], on_progress: OnProgress, *, step: str = STEP, title: str = TITLE
) -> Iterator[bytes]:
    """The tar stream of the files, told of as a step while it is taken: bytes, at its end seconds."""
    total, sent, started = sum(file.size for file in files), 0, time.monotonic()
    told = started
    on_progress(Progress(step=step, title=title, current=0, total=total))
    for chunk in tar_stream(files):
        yield chunk
        sent += len(chunk)
        # Ten times a second is as often as a display can be read.
        if time.monotonic() - told >= 0.1:
            told = time.monotonic()
            on_progress(Progress(step=step, title=title, current=min(sent, total), total=total))
    on_progress(Progress(step=step, title=title, current=total, total=total, seconds=time.monotonic() - started))


def _header(name: str, size: int, mode: int, kind: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type = size, mode, kind
    return info.tobuf(tarfile.PAX_FORMAT)
