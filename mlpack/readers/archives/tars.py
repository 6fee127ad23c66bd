"""Read tar archives forward: the members' names, sizes and bytes; nothing is extracted to disk."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from mlpack.readers.limits import MIB, CutOffError, Limits
from mlpack.readers.streams import CHUNK, Source

_MAGIC_AT, _MAGIC = 257, b"ustar"
HEAD = 512  # bytes that identify a tar
_LONGEST_HEADER = MIB  # of a long name or a pax header
_ABOUT_A_MEMBER = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


@dataclass(frozen=True, kw_only=True)
class TarMember:
    """A regular file: its name without `./` (None when it points outside the extraction folder), `source` its bytes."""

    name: str | None
    written: str
    size: int
    source: Source


def is_tar(head: bytes) -> bool:
    """Whether these are the first bytes of a tar."""
    return head[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] == _MAGIC


def tar_members(file: BinaryIO, source: Source | None) -> Iterator[TarMember]:
    """The members in order; `source` is the decompressed tar, if it is compressed.

    The bytes of a member are available until the next one is read.

    Devices, pipes and links are left out, unless their name points outside the extraction folder. Raises CutOffError for a
    broken or truncated archive, for duplicate names, and for sparse files, whose size is unrelated to the archive's size.
    """
    seen: set[str] = set()
    try:
        with _opened(file, source) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep every header
                name = tidy(member.name)
                if member.issparse():
                    raise CutOffError(f"the tar archive contains a sparse file ({member.name[:100]!r})")
                if name is not None and member.isfile() and name in seen:
                    raise CutOffError(f"the tar archive contains {name[:100]!r} twice")
                if name is None or member.isfile():
                    seen.add(name or member.name)
                    yield TarMember(name=name, written=member.name, size=member.size, source=_Member(archive, member))
                if len(seen) > Limits().members:
                    raise CutOffError(f"the tar archive lists more than {Limits().members} members")
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise CutOffError(f"the tar archive is broken or cut off ({error})") from error


def tidy(name: str) -> str | None:
    """A member's name without `./`; None when it points outside the extraction folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        return None
    return path.as_posix()


@contextmanager
def _opened(file: BinaryIO, source: Source | None) -> Iterator[tarfile.TarFile]:
    """The open tar, as a stream if it is compressed; decompression is bounded here, not by tarfile."""
    file.seek(0)
    if source is None:
        with tarfile.open(fileobj=file, mode="r:", tarinfo=_Header) as archive:
            yield archive
        return
    with tarfile.open(fileobj=_Reader(source), mode="r|", tarinfo=_Header) as archive:  # type: ignore[call-overload]  # a stream needs `read` alone
        yield archive


class _Header(tarfile.TarInfo):
    """A member's header with a bounded size: tarfile reads long-name and pax headers into memory, whatever their length."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        found = super().frombuf(buf, encoding, errors)
        if found.type in _ABOUT_A_MEMBER and found.size > _LONGEST_HEADER:
            raise CutOffError(f"the tar archive contains a header of {found.size} bytes")
        return found


class _Reader:
    """A source as a file object for tarfile's streaming mode."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count > 0 and (data := self._source.read(count)):
            parts.append(data)
            count -= len(data)
        return b"".join(parts)


class _Member:
    """A member's bytes; opened at the first read."""

    def __init__(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        self._archive, self._member = archive, member
        self._file: object | None = None

    def read(self, count: int) -> bytes:
        try:
            if self._file is None:
                self._file = self._archive.extractfile(self._member)
            return self._file.read(min(count, CHUNK)) if self._file is not None else b""  # type: ignore[attr-defined]  # IO[bytes]
        except (tarfile.TarError, OSError, ValueError) as error:
            raise CutOffError(f"the tar archive is broken or cut off ({error})") from error

    def skip(self, count: int) -> int:
        skipped = 0
        while skipped < count and (data := self.read(count - skipped)):
            skipped += len(data)
        return skipped
