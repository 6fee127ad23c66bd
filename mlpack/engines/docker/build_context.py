"""A bundle's files as a tar stream, the same bytes for the same bundle, never more than a chunk in memory."""

from __future__ import annotations

import hashlib
import tarfile
import time
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from mlpack.artifacts.bundle import BundleFile
from mlpack.engines.base import OnProgress, Progress
from mlpack.errors import UnreadableModelError
from mlpack.readers.bundled import bytes_of

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


def content_of(file: BundleFile, *, doing: str = "sent to the engine") -> Iterator[bytes]:
    """The file's bytes, a mebibyte at a time, compared with the size and the digest that the bundle gives for them.

    Raises UnreadableModelError when they are others; bytes of it may have been given by then. `doing` is for its words.
    """
    if file.source is None:
        content = file.content or b""
        if len(content) != file.size:
            raise _changed(file, doing, f"{len(content)} bytes instead of {file.size}")
        yield content
        return
    digest, left, longer = hashlib.sha256(), file.size, False
    try:
        for chunk in bytes_of(file):
            longer = len(chunk) > left
            if longer:
                break
            left -= len(chunk)
            digest.update(chunk)
            yield chunk
    except OSError as error:
        raise UnreadableModelError(
            f"{file.source} could not be read while it was {doing}: {error.strerror}",
            hint="See that the file stays where it is until this is done, then try again.",
        ) from error
    if longer:
        raise _changed(file, doing, f"it is longer than the {file.size} bytes it had")
    if left:
        raise _changed(file, doing, f"it is {left} bytes shorter than before")
    if file.sha256 and digest.hexdigest() != file.sha256:
        raise _changed(file, doing, "its content is another")


def _header(name: str, size: int, mode: int, kind: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.type = size, mode, kind
    return info.tobuf(tarfile.PAX_FORMAT)


def _changed(file: BundleFile, doing: str, how: str) -> UnreadableModelError:
    return UnreadableModelError(
        f"{file.source or file.name} changed while it was {doing}: {how}",
        hint="Let whatever writes the file finish, then try again.",
    )
