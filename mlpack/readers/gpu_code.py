"""Remove the code for GPUs from shared objects of CUDA builds, which a CPU never loads: `python gpu_code.py FILE...`.

A bundle contains a copy of this file, which the build runs where packages have no build without CUDA, such as XGBoost before
2.1.1. So it imports only the standard library, and runs on Python 3.9.
"""

from __future__ import annotations

import shutil
import struct
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

_SECTIONS = frozenset({b".nv_fatbin", b"__nv_relfatbin"})  # compiled kernels; CUDA reads them when it finds a GPU
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # of ELF with 64 bits, little-endian
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
# Types of segments. The dynamic loader needs neither a note nor the place of the table in a library.
_LOAD, _NOTE, _TABLE = 1, 4, 6
_MOST_SEGMENTS, _MOST_SECTIONS, _MOST_NAMES = 128, 1024, 1 << 20
_LEAST = 1 << 20  # bytes; for less the file stays as it is


@dataclass(frozen=True)
class _Segment:
    """A program header: which bytes of the file are at which addresses."""

    kind: int
    flags: int
    offset: int
    address: int
    physical: int
    size: int
    memory: int
    align: int

    def pack(self) -> bytes:
        """The header as it is in a file."""
        return _SEGMENT.pack(
            self.kind, self.flags, self.offset, self.address, self.physical, self.size, self.memory, self.align
        )


def remove_gpu_code(path: Path) -> int:
    """Remove the code for GPUs from a shared object; returns the number of bytes, 0 if the file is left as it is.

    Addresses stay the same: where the code was, the loader maps zeros, which take no memory until they are read. The table of
    sections, which the loader does not read, is dropped.
    """
    new = path.with_name(f"{path.name}.new")
    with path.open("rb") as file:
        try:
            header, table, start, end = _plan(file)
        except (OSError, ValueError, ArithmeticError, IndexError, struct.error):  # a file of another form
            return 0
        with new.open("wb") as out:
            _copy(file, out, 0, start)
            _copy(file, out, end, path.stat().st_size)
            out.seek(0)
            out.write(header)
            out.seek(_HEADER.unpack(header)[5])
            out.write(table)
    shutil.copymode(path, new)
    new.replace(path)
    return end - start


def _plan(file: BinaryIO) -> tuple[bytes, bytes, int, int]:
    """The new header and table of segments, and the range of the file to leave out; ValueError for a file of another form."""
    fields = list(_HEADER.unpack(file.read(_HEADER.size)))
    segments_at, sections_at, count, sections, names = fields[5], fields[6], fields[10], fields[12], fields[13]
    if fields[0][:6] != b"\x7fELF\x02\x01" or count > _MOST_SEGMENTS or not names < sections <= _MOST_SECTIONS:
        raise ValueError
    file.seek(segments_at)
    segments = [_Segment(*_SEGMENT.unpack(file.read(_SEGMENT.size))) for _ in range(count)]
    file.seek(sections_at)
    table = [_SECTION.unpack(file.read(_SECTION.size)) for _ in range(sections)]
    file.seek(table[names][4])
    texts = file.read(min(table[names][5], _MOST_NAMES))
    code = [one for one in table if texts[one[0] :].partition(b"\0")[0] in _SECTIONS]
    if not code:
        raise ValueError
    align = max(one.align for one in segments if one.kind == _LOAD)  # what is left keeps its place in a page
    start = -(-min(one[4] for one in code) // align) * align
    end = max(one[4] + one[5] for one in code) // align * align
    if end - start < _LEAST or segments_at + count * _SEGMENT.size > start:
        raise ValueError
    # The table has room for as many segments as before: one more that is loaded takes the place of one that is not needed.
    spare = next((one for kind in (_NOTE, _TABLE) for one in segments if one.kind == kind), None)
    found = [part for one in segments if one is not spare for part in _without(one, start, end)]
    if len(found) != count or sum(one.kind == _LOAD for one in found) != sum(one.kind == _LOAD for one in segments) + 1:
        raise ValueError
    fields[6] = fields[12] = fields[13] = 0
    fields[10] = len(found)
    return _HEADER.pack(*fields), b"".join(one.pack() for one in found), start, end


def _without(one: _Segment, start: int, end: int) -> list[_Segment]:
    """The segment without this range of the file: in two parts if it contains the range, else moved if it is behind it."""
    if one.offset >= end:
        return [replace(one, offset=one.offset - (end - start))]
    if one.offset + one.size <= start:
        return [one]
    if one.kind != _LOAD or one.offset > start or one.offset + one.size < end:
        raise ValueError
    rest = end - one.offset
    return [
        replace(one, size=start - one.offset, memory=rest),
        replace(
            one, offset=start, address=one.address + rest, physical=one.physical + rest,
            size=one.size - rest, memory=one.memory - rest,
        ),
    ]  # fmt: skip


def _copy(file: BinaryIO, out: BinaryIO, start: int, end: int) -> None:
    """Copy a range of a file."""
    file.seek(start)
    while start < end and (block := file.read(min(1 << 20, end - start))):
        out.write(block)
        start += len(block)


if __name__ == "__main__":
    for argument in map(Path, sys.argv[1:]):
        if argument.is_file():  # where a release has it
            remove_gpu_code(argument)
