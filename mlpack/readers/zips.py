"""Zip archives as their central directory tells them: member names, and each member's bytes whatever its checksum says."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import BinaryIO

from mlpack.readers.limits import Budget, CutOffError
from mlpack.readers.streams import FileSource, Source, inflated, unpacked

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
_LOCAL_HEADER = 30  # PKWARE's appnote, 4.3.7
_END = struct.Struct("<4s4H2LH")
_COUNT_UNKNOWN = 0xFFFF
_INNER = 64 << 20  # the largest compressed archive inside an archive that is unpacked to look into it


@dataclass(frozen=True, kw_only=True)
class ZipMember:
    """One member: its name as written, how it is compressed, where its bytes lie: `size` as stored, `whole` unpacked."""

    name: str
    method: int
    offset: int
    size: int
    whole: int
    escapes: bool  # its name leads out of the folder that one unpacks into


def read_directory(file: BinaryIO, size: int, limit: int) -> list[ZipMember]:
    """All members of an archive; raises CutOffError when its directory is broken, cut off, or longer than `limit`."""
    if _claimed(file, size) > limit:
        raise CutOffError(f"the zip archive lists more than {limit} members")
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise CutOffError(f"the zip archive is broken or cut off ({error})") from error
    if len(infos) > limit:
        raise CutOffError(f"the zip archive lists more than {limit} members")
    return [
        ZipMember(
            name=info.filename,
            method=info.compress_type,
            offset=info.header_offset,
            size=info.compress_size,
            whole=info.file_size,
            escapes=_escapes(info.orig_filename),
        )
        for info in infos
    ]


def open_member(file: BinaryIO, member: ZipMember, budget: Budget) -> Source:
    """A member's bytes, without asking its checksum or its flags: loaders differ in which of them they obey."""
    try:
        file.seek(member.offset)
        header = file.read(_LOCAL_HEADER)
    except (OSError, ValueError, OverflowError):  # a directory that lies gives places that no file has
        header = b""
    if len(header) < _LOCAL_HEADER or header[:4] != MAGICS[0]:
        raise CutOffError(f"the zip member {member.name!r} is not where the directory says")
    name, extra = struct.unpack("<HH", header[26:])
    start = member.offset + _LOCAL_HEADER + name + extra
    source = FileSource(file, start, start + member.size)
    if member.method == zipfile.ZIP_STORED:
        return source
    if member.method == zipfile.ZIP_DEFLATED:
        return inflated(source, budget)
    if member.method == zipfile.ZIP_BZIP2:
        return unpacked(source, "bz2", budget)
    raise CutOffError(f"the zip member {member.name!r} is compressed in a way that is not read here ({member.method})")


def open_inner(file: BinaryIO, member: ZipMember, budget: Budget) -> tuple[BinaryIO, int]:
    """A member that is an archive itself, as a file that can be looked into, and its size.

    Raises CutOffError when it is compressed and too large to be held in memory.
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
    """A part of a file as a file of its own; nothing of it is held."""

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


def _claimed(file: BinaryIO, size: int) -> int:
    # The count stands in the last record; with more than 65534 members it stands in a zip64 record, and the size tells.
    tail = min(size, _END.size + 0xFFFF)
    file.seek(size - tail)
    data = file.read(tail)
    place = data.rfind(b"PK\x05\x06")
    if place < 0 or place + _END.size > len(data):
        return 0
    _, _, _, _, count, length, _, _ = _END.unpack_from(data, place)
    return int(length // 46) if count == _COUNT_UNKNOWN and length != 0xFFFFFFFF else int(count)


def _escapes(name: str) -> bool:
    windows = PureWindowsPath(name)
    parts = {*PurePosixPath(name).parts, *windows.parts}
    return name.startswith("/") or bool(windows.drive) or bool(windows.root) or ".." in parts
