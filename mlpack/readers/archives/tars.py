"""Tar archives read forward: their members' names, sizes and bytes, whatever lies around them; nothing is unpacked to disk."""

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
HEAD = 512  # so many bytes tell
_LONGEST_HEADER = MIB  # of a long name, or of what pax says about a member
_ABOUT_A_MEMBER = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


@dataclass(frozen=True, kw_only=True)
class TarMember:
    """A regular file: its name without `./` (None where it leads out of the folder one unpacks into), `source` its bytes."""

    name: str | None
    written: str
    size: int
    source: Source


def is_tar(head: bytes) -> bool:
    """Whether these first bytes are a tar's."""
    return head[_MAGIC_AT : _MAGIC_AT + len(_MAGIC)] == _MAGIC


def tar_members(file: BinaryIO, source: Source | None) -> Iterator[TarMember]:
    """The members in their order; of a compressed tar `source` is what `file` unpacks to. Each one's bytes only until the next.

    Devices, pipes and links are left out, unless their name leads out. Raises CutOffError for what is broken or cut off, for
    a name that is there twice, and for sparse files, whose size nothing in the archive backs.
    """
    seen: set[str] = set()
    try:
        with _opened(file, source) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # the library would keep every header
                name = tidy(member.name)
                if member.issparse():
                    raise CutOffError(f"the tar archive holds a sparse file ({member.name[:100]!r})")
                if name is not None and member.isfile() and name in seen:
                    raise CutOffError(f"the tar archive holds {name[:100]!r} twice")
                if name is None or member.isfile():
                    seen.add(name or member.name)
                    yield TarMember(name=name, written=member.name, size=member.size, source=_Member(archive, member))
                if len(seen) > Limits().members:
                    raise CutOffError(f"the tar archive lists more than {Limits().members} members")
    except (tarfile.TarError, OSError, ValueError, OverflowError) as error:
        raise CutOffError(f"the tar archive is broken or cut off ({error})") from error


def tidy(name: str) -> str | None:
    """A member's name without `./`; None when it leads out of the folder one unpacks into."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        return None
    return path.as_posix()


@contextmanager
def _opened(file: BinaryIO, source: Source | None) -> Iterator[tarfile.TarFile]:
    """The tar, as a stream where it is compressed: what unpacks it is bounded by ours and not by tarfile's own."""
    file.seek(0)
    if source is None:
        with tarfile.open(fileobj=file, mode="r:", tarinfo=_Header) as archive:
            yield archive
        return
    with tarfile.open(fileobj=_Reader(source), mode="r|", tarinfo=_Header) as archive:  # type: ignore[call-overload]  # a stream needs `read` alone
        yield archive


class _Header(tarfile.TarInfo):
    """A member's header; tarfile reads what a header says about the next member into memory, however long it claims to be."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        found = super().frombuf(buf, encoding, errors)
        if found.type in _ABOUT_A_MEMBER and found.size > _LONGEST_HEADER:
            raise CutOffError(f"the tar archive holds a header of {found.size} bytes")
        return found


class _Reader:
    """A source as the file object that tarfile's streaming mode reads."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def read(self, count: int) -> bytes:
        parts: list[bytes] = []
        while count > 0 and (data := self._source.read(count)):
            parts.append(data)
            count -= len(data)
        return b"".join(parts)


class _Member:
    """A member's bytes, opened when they are first asked for."""

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
