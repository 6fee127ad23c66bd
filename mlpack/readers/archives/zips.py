"""Read zip archives by their central directory: member names, and each member's bytes without checking checksums."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import BinaryIO

from mlpack.readers.archives.zip_records import Entry, data_start, directory_length, read_entries
from mlpack.readers.limits import Budget, CutOffError
from mlpack.readers.streams import FileSource, Source, inflated, single

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_LONGEST_DOUBTED = 4 << 20  # bytes of an unreliable directory that is read anyway
_INNER = 64 << 20  # the largest compressed archive inside an archive that is decompressed


@dataclass(frozen=True, kw_only=True)
class ZipMember:
    """A member: its name as written, its compression, the offset of its data; `size` stored, `whole` uncompressed."""

    name: str
    method: int
    start: int
    size: int
    whole: int
    escapes: bool  # its name points outside the extraction folder


@dataclass(frozen=True, kw_only=True)
class Directory:
    """The members; `problem` says why the archive is unreliable: other readers may see other members, or none."""

    members: tuple[ZipMember, ...]
    problem: str = ""


def read_directory(file: BinaryIO, size: int, limit: int) -> Directory:
    """All members of an archive, unless it has more than `limit`.

    For a broken, truncated or ambiguous archive, the members that Python's zipfile finds, so that dangerous ones are still
    reported.
    """
    try:
        return Directory(members=tuple(_member(one) for one in read_entries(file, size, limit)))
    except CutOffError as stopped:
        return Directory(members=tuple(_as_zipfile_reads(file, size, limit)), problem=str(stopped))


def _member(one: Entry) -> ZipMember:
    return ZipMember(
        name=one.name,
        method=one.method,
        start=one.start,
        size=one.size,
        whole=one.whole,
        escapes=_escapes(one.name),
    )


def _as_zipfile_reads(file: BinaryIO, size: int, limit: int) -> Iterator[ZipMember]:
    if directory_length(file, size) > _LONGEST_DOUBTED:
        return
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()[:limit]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error):
        return
    for info in infos:
        start = data_start(file, info.header_offset)
        if start is not None:
            yield ZipMember(
                name=info.filename,
                method=info.compress_type,
                start=start,
                size=info.compress_size,
                whole=info.file_size,
                escapes=_escapes(info.orig_filename),
            )


def open_member(file: BinaryIO, member: ZipMember, budget: Budget) -> Source:
    """A member's bytes, without checking the checksum, because not all loaders check it.

    Reading raises CutOffError when compressed data end before or after the member's end, or have a wrong length.
    """
    source = FileSource(file, member.start, member.start + member.size)
    if member.method == zipfile.ZIP_STORED:
        return source
    if member.method == zipfile.ZIP_DEFLATED:
        return Exact(inflated(source, budget), member.whole)
    if member.method == zipfile.ZIP_BZIP2:
        return Exact(single(source, "bz2", budget), member.whole)
    raise CutOffError(f"the zip member {member.name!r} has an unsupported compression method ({member.method})")


class Exact:
    """A source that must have exactly `size` bytes, because readers treat more or fewer differently."""

    def __init__(self, source: Source, size: int) -> None:
        self._source, self._left = source, size

    def read(self, count: int) -> bytes:
        """At most `count` bytes; raises CutOffError when the source has more or fewer bytes than `size`."""
        data = self._source.read(count)
        self._count(len(data), ended=count > 0 and not data)
        return data

    def skip(self, count: int) -> int:
        """Step over at most `count` bytes."""
        skipped = self._source.skip(count)
        self._count(skipped, ended=skipped < count)
        return skipped

    def _count(self, count: int, *, ended: bool) -> None:
        self._left -= count
        if self._left < 0 or (ended and self._left):
            raise CutOffError("a zip member's uncompressed length differs from its header")


def open_inner(file: BinaryIO, member: ZipMember, budget: Budget) -> tuple[BinaryIO, int]:
    """A member that is an archive, as a file for random access, and its size.

    Raises CutOffError when it is compressed and too large for memory.
    """
    if member.method == zipfile.ZIP_STORED:
        source = open_member(file, member, budget)
        if isinstance(source, FileSource):
            return _Part(file, source.place, member.size), member.size
    source = open_member(file, member, budget)
    held = bytearray()
    while len(held) <= _INNER and (data := source.read(1 << 18)):
        held += data
    if len(held) > _INNER:
        raise CutOffError(f"the archive {member.name!r} inside it is compressed and larger than {_INNER >> 20} MiB")
    return io.BytesIO(held), len(held)


class _Part(io.BytesIO):
    """A part of a file as a file object, read from the file when needed."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        super().__init__()
        self._file, self._start, self._size, self._at = file, start, size, 0

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, self._size)[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int | None = -1) -> bytes:
        left = max(0, self._size - self._at)
        self._file.seek(self._start + self._at)
        data = self._file.read(left if count is None or count < 0 else min(count, left))
        self._at += len(data)
        return data


def _escapes(name: str) -> bool:
    windows = PureWindowsPath(name)
    parts = {*PurePosixPath(name).parts, *windows.parts}
    return name.startswith("/") or bool(windows.drive) or bool(windows.root) or ".." in parts
