"""Read the bytes of a bundle's file, from memory, disk or an archive."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.errors import UnreadableModelError
from mlpack.readers.archives.trees import open_tree
from mlpack.readers.limits import CutOffError

CHUNK = 1024 * 1024


def bytes_of(file: BundleFile) -> Iterator[bytes]:
    """The file's bytes in chunks of at most 1 MiB; raises OSError when they can no longer be read."""
    if file.source is None:
        yield file.content or b""
    elif file.member is not None:
        yield from _member(file)
    else:
        with file.source.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk


def _member(file: BundleFile) -> Iterator[bytes]:
    try:
        tree = open_tree(file.source) if file.source else None
        if tree is None or file.member is None or file.member not in tree:
            raise FileNotFoundError(2, "it is no longer in the archive", str(file.member))
        yield from tree.stream(file.member)
    except CutOffError as stopped:
        raise OSError(5, str(stopped), str(file.source)) from stopped


def content_of(file: BundleFile, *, doing: str = "sent to the engine") -> Iterator[bytes]:
    """The file's bytes in chunks of 1 MiB, checked against the size and digest in the bundle.

    Raises UnreadableModelError for a difference, possibly after some chunks; `doing` describes the action in its message.
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
            hint="Do not move or change the file while this runs; then try again.",
        ) from error
    if longer:
        raise _changed(file, doing, f"it is longer than the {file.size} bytes it had")
    if left:
        raise _changed(file, doing, f"it is {left} bytes shorter than before")
    if file.sha256 and digest.hexdigest() != file.sha256:
        raise _changed(file, doing, "its content is different")


def _changed(file: BundleFile, doing: str, how: str) -> UnreadableModelError:
    return UnreadableModelError(
        f"{file.source or file.name} changed while it was {doing}: {how}",
        hint="Wait until the file is written completely, then try again.",
    )
