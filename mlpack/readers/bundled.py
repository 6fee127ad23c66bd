"""The bytes that a bundle's file stands for, wherever they lie: in memory, on disk, or in an archive."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.artifacts.bundle import BundleFile
from mlpack.readers.archives.trees import open_tree
from mlpack.readers.limits import CutOffError

CHUNK = 1024 * 1024


def bytes_of(file: BundleFile) -> Iterator[bytes]:
    """The file's bytes, at most a mebibyte at a time; raises OSError when they cannot be read any more."""
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
