"""Remove symbol tables and debug information from shared objects, as strip does: `python strip_symbols.py PATH...`.

A bundle contains a copy of this file, which the build runs: base images have no strip. So it imports only the standard
library, and runs on Python 3.9.
"""

from __future__ import annotations

import re
import shutil
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # of ELF with 64 bits, little-endian
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SHARED_OBJECT = 3  # type of file
_LOAD = 1  # type of segment
_NO_BYTES = 8  # type of section: it takes no space in the file
_ALLOCATED = 2  # flag of section: it is in memory while the program runs
# Sections that only linkers and debuggers read. A section of another name may be data that the program reads from its own file.
_REMOVABLE = re.compile(
    rb"\.(symtab|strtab|shstrtab|symtab_shndx|comment|z?debug_\w+|gdb_index|gnu_debug(link|altlink|data)|stab(str)?|annobin[\w.]*"
    rb"|gnu\.build\.attributes[\w.]*|note\.(stapsdt|gnu\.gold-version|annobin\w*)|GCC\.command\.line|llvm_addrsig)"
)
_MOST_SEGMENTS, _MOST_SECTIONS, _MOST_NAMES = 128, 4096, 1 << 20
_MOST_UNNAMED = 1 << 20  # bytes between sections that are read to see that they are zeros
_LARGEST_PAGE = 1 << 21
_LEAST = 1 << 12  # bytes; for less the file stays as it is
_BLOCK = 1 << 20

_Range = tuple[int, int]  # of a file: start and end


def strip(path: Path) -> int:
    """Remove what is never loaded from a shared object; returns the number of bytes, 0 if the file is left as it is.

    What the segments load keeps its bytes and addresses. The table of sections, which the dynamic loader does not read, is
    dropped. A file of another form is left as it is, and so is one with bytes of an unknown purpose.
    """
    if path.is_symlink() or not path.is_file():
        return 0
    size = path.stat().st_size
    new = path.with_name(f"{path.name}.new")
    with path.open("rb") as file:
        try:
            kept, replaced = _plan(file, size)
        except (OSError, ValueError, ArithmeticError, IndexError, struct.error):  # a file of another form
            return 0
        removed = size - sum(end - start for start, end in kept)
        if removed < _LEAST:
            return 0
        try:
            with new.open("wb") as out:
                for start, end in kept:
                    _copy(file, out, start, end)
                for place, content in replaced:
                    out.seek(place)
                    out.write(content)
            shutil.copymode(path, new)
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    return removed


def _plan(file: BinaryIO, size: int) -> tuple[list[_Range], list[tuple[int, bytes]]]:
    """The ranges of the file to keep, and what is written over them: (place in the new file, bytes).

    ValueError for a file of another form.
    """
    fields = list(_HEADER.unpack(file.read(_HEADER.size)))
    table_at, sections_at, count, sections, names = fields[5], fields[6], fields[10], fields[12], fields[13]
    sizes = (fields[8], fields[9], fields[11])
    if fields[0][:6] != b"\x7fELF\x02\x01" or fields[1] != _SHARED_OBJECT:
        raise ValueError
    if sizes != (_HEADER.size, _SEGMENT.size, _SECTION.size) or not names < sections <= _MOST_SECTIONS:
        raise ValueError
    if not 0 < count <= _MOST_SEGMENTS:
        raise ValueError
    file.seek(table_at)
    segments = [_SEGMENT.unpack(file.read(_SEGMENT.size)) for _ in range(count)]
    file.seek(sections_at)
    found = [_SECTION.unpack(file.read(_SECTION.size)) for _ in range(sections)]
    loads = [segment for segment in segments if segment[0] == _LOAD]
    page = max(segment[7] for segment in loads)
    if not 0 < page <= _LARGEST_PAGE or page & (page - 1) or not all(segment[5] for segment in loads):
        raise ValueError
    table = (table_at, table_at + count * _SEGMENT.size)
    loaded = [(segment[2], segment[2] + segment[5]) for segment in segments if segment[5]]
    needed = _merged([(0, _HEADER.size), table, *loaded])
    if needed[-1][1] > size:
        raise ValueError
    unneeded = _unneeded(file, found, names, needed)
    unneeded.append((sections_at, sections_at + sections * _SECTION.size))
    _refuse_unknown(file, _gaps(_merged([*needed, *unneeded]), size))
    # Between segments only whole pages are removed, so that what follows keeps its place in a page, as the loader demands.
    kept = _merged([*needed, *((end - (end - start) % page, end) for start, end in _gaps(needed, needed[-1][1]))])

    def moved(place: int) -> int:
        return place - sum(min(end, place) - start for start, end in _gaps(kept, size) if start < place)

    fields[5] = moved(table_at)
    fields[6] = fields[12] = fields[13] = 0
    segments = [(*segment[:2], moved(segment[2]), *segment[3:]) for segment in segments]
    return kept, [(0, _HEADER.pack(*fields)), (fields[5], b"".join(_SEGMENT.pack(*segment) for segment in segments))]


def _unneeded(file: BinaryIO, sections: list[tuple[int, ...]], names: int, needed: list[_Range]) -> list[_Range]:
    """The ranges of sections that nothing loads; ValueError for a section that must be in a segment or may be needed."""
    file.seek(sections[names][4])
    texts = file.read(min(sections[names][5], _MOST_NAMES))
    unneeded = []
    for section in sections[1:]:  # the first one is never used
        if section[1] == _NO_BYTES or not section[5]:
            continue
        start, end = section[4], section[4] + section[5]
        if not section[2] & _ALLOCATED and _REMOVABLE.fullmatch(texts[section[0] :].partition(b"\0")[0]):
            unneeded.append((start, end))
        elif not any(one[0] <= start and end <= one[1] for one in needed):
            raise ValueError
    return unneeded


def _refuse_unknown(file: BinaryIO, ranges: Iterable[_Range]) -> None:
    """Raise ValueError if the bytes of a range are more than a filling of zeros."""
    total = 0
    for start, end in ranges:
        total += end - start
        if total > _MOST_UNNAMED:
            raise ValueError
        file.seek(start)
        if file.read(end - start).strip(b"\0"):
            raise ValueError


def _merged(ranges: Iterable[_Range]) -> list[_Range]:
    """The ranges in order, those that touch as one."""
    merged: list[_Range] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _gaps(ranges: list[_Range], size: int) -> Iterator[_Range]:
    """What lies between sorted ranges, and between the last one and the end of the file."""
    at = 0
    for start, end in [*ranges, (size, size)]:
        if start > at:
            yield at, start
        at = end


def _copy(file: BinaryIO, out: BinaryIO, start: int, end: int) -> None:
    """Copy a range of a file."""
    file.seek(start)
    while start < end and (block := file.read(min(_BLOCK, end - start))):
        out.write(block)
        start += len(block)


def strip_all(paths: Iterable[Path]) -> int:
    """Strip these shared objects, and those in these folders; returns the number of bytes."""
    files = {file for path in paths for file in (path.rglob("*.so*") if path.is_dir() else [path])}
    return sum(map(strip, sorted(files)))


if __name__ == "__main__":
    strip_all(map(Path, sys.argv[1:]))
