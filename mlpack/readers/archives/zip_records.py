"""The records of a zip archive (PKWARE's appnote), accepted only if all zip readers interpret them the same way.

Python's zipfile, torch's miniz and others disagree on archives that no tool writes: bytes before or after the archive, a
directory at an offset other than the recorded one, overlapping members, local headers that contradict the directory. An
ambiguous file is refused, even if one of its readings is harmless.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import BinaryIO

from mlpack.readers.limits import MIB, CutOffError

END = b"PK\x05\x06"
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_LONGEST_COMMENT = 0xFFFF
_LONGEST_DIRECTORY = 256 * MIB
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF  # the value is in a zip64 field
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075
_ENCRYPTED, _DESCRIPTOR, _STRONG, _UTF8, _MASKED = 1, 1 << 3, 1 << 6, 1 << 11, 1 << 13
_STORED = 0
_FOLDER = 0x10  # in a member's external attributes, by MS-DOS


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A member: its name, `raw` as written, its method, the offset of its data, `size` stored, `whole` uncompressed."""

    name: str
    raw: bytes
    flags: int
    method: int
    crc: int
    offset: int
    start: int = 0
    size: int
    whole: int


def read_entries(file: BinaryIO, size: int, limit: int) -> list[Entry]:
    """All members in directory order. Raises CutOffError for a broken, truncated or ambiguous archive, or above `limit`."""
    try:
        count, start, length = _end(file, size)
        if count > limit:
            raise CutOffError(f"the zip archive lists more than {limit} members")
        if length > _LONGEST_DIRECTORY:
            raise CutOffError("the zip archive's directory is too long to be read")
        entries = _directory(_at(file, start, length), count)
        _names_differ(entries)
        return _placed(file, entries, start)
    except (OSError, ValueError, OverflowError, struct.error) as error:
        raise CutOffError(f"the zip archive is broken or cut off ({error})") from error


def directory_length(file: BinaryIO, size: int) -> int:
    """The length of the directory according to the last end record; 0 without one."""
    tail = min(size, _END.size + _LONGEST_COMMENT)
    data = _at(file, size - tail, tail)
    place = data.rfind(END)
    if place < 0 or place + _END.size > len(data):
        return 0
    length = int(_END.unpack_from(data, place)[5])
    return size if length == _FULL32 else length


def data_start(file: BinaryIO, offset: int) -> int | None:
    """The offset of a member's data by its local header at `offset`, without consistency checks."""
    try:
        head = _at(file, offset, _LOCAL.size)
    except (OSError, ValueError, OverflowError):  # a false directory has offsets outside the file
        return None
    if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
        return None
    *_, names, extras = _LOCAL.unpack(head)
    return offset + _LOCAL.size + int(names) + int(extras)


def ends_as_zip(file: BinaryIO, size: int, *, exactly: bool = False, after: int = 0) -> bool:
    """Whether some reader would open the file as a zip archive, whatever its first bytes.

    Such readers search for the end record in the last 64 KiB. `exactly`: only an archive that ends with the file. `after`:
    only one whose end record is at this offset or later.
    """
    tail = min(size, _END.size + _LONGEST_COMMENT)
    data = _at(file, size - tail, tail)
    place = data.rfind(END)
    while place >= 0:
        if place + _END.size <= len(data):
            _, _, _, _, count, length, offset, comment = _END.unpack_from(data, place)
            end = size - tail + place
            if end < after:
                return False
            fits = not exactly or place + _END.size + comment == len(data)
            starts = (offset, end - length, end - length - _LOCATOR.size - _END64.size)
            saturated = _FULL32 in (length, offset) or count == _FULL16
            if fits and (saturated or any(_at(file, one, 4) == b"PK\x01\x02" for one in starts)):
                return True
        place = data.rfind(END, 0, place)
    return False


def _at(file: BinaryIO, place: int, count: int) -> bytes:
    if place < 0 or count <= 0:
        return b""
    file.seek(place)
    return file.read(count)


def _end(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """The number of members, and the offset and length of the directory."""
    tail = min(size, _END.size + _LONGEST_COMMENT)
    data = _at(file, size - tail, tail)
    place = data.rfind(END)
    if place < 0 or place + _END.size > len(data):
        raise CutOffError("the zip archive is broken or cut off (it has no end record)")
    _, disk, first, here, count, length, start, comment = _END.unpack_from(data, place)
    text = data[place + _END.size :]
    if len(text) != comment or b"PK" in text or any(not 32 <= byte < 127 and byte not in b"\t\r\n" for byte in text):
        raise CutOffError("the zip archive does not end where its end record says, so it can be read in two ways")
    end = size - tail + place
    stated = (disk, first, here, count, length, start)
    large = _end64(file, end)
    if large is not None:
        end, exact = large
        full = (_FULL16, _FULL16, _FULL16, _FULL16, _FULL32, _FULL32)
        if any(short not in (most, long) for short, most, long in zip(stated, full, exact, strict=True)):
            raise CutOffError("the zip archive's two end records contradict each other")
        disk, first, here, count, length, start = exact
    elif _FULL32 in (length, start):
        raise CutOffError("the zip archive is broken or cut off (its zip64 end record is missing)")
    if disk or first or here != count:
        raise CutOffError("the zip archive is one of several parts")
    if start + length != end:
        raise CutOffError("the zip archive's directory is not where its end record says, so it can be read in two ways")
    return count, start, length


def _end64(file: BinaryIO, end: int) -> tuple[int, tuple[int, ...]] | None:
    """The offset and the numbers of the zip64 end record; None without one."""
    locator = _at(file, end - _LOCATOR.size, _LOCATOR.size)
    if locator[:4] != b"PK\x06\x07":
        return None
    _, disk, place, disks = _LOCATOR.unpack(locator)
    record = _at(file, end - _LOCATOR.size - _END64.size, _END64.size)
    if place != end - _LOCATOR.size - _END64.size or record[:4] != b"PK\x06\x06" or disk or disks > 1:
        raise CutOffError("the zip archive's zip64 end record is not where it should be, so it can be read in two ways")
    _, length, _, _, *exact = _END64.unpack(record)
    if length != _END64.size - 12:
        raise CutOffError("the zip archive's zip64 end record has a wrong length")
    return place, tuple(exact)


def _directory(data: bytes, count: int) -> list[Entry]:
    entries: list[Entry] = []
    place = 0
    while place < len(data):
        if place + _CENTRAL.size > len(data) or data[place : place + 4] != b"PK\x01\x02" or len(entries) == count:
            raise CutOffError("the zip archive's directory is broken, or contradicts its end record")
        head = _CENTRAL.unpack_from(data, place)
        _, _, _, flags, method, _, _, crc, size, whole, names, extras, comments, disk, _, attributes, offset = head
        place += _CENTRAL.size
        raw, extra = data[place : place + names], data[place + names : place + names + extras]
        place += names + extras + comments
        if place > len(data):
            raise CutOffError("the zip archive's directory is cut off")
        fields = _extras(extra)
        whole, size, offset, disk = _exact(
            fields, ((whole, _FULL32), (size, _FULL32), (offset, _FULL32), (disk, _FULL16))
        )
        name = _name(raw, flags, fields)
        if disk:
            raise CutOffError("the zip archive is one of several parts")
        if flags & (_ENCRYPTED | _STRONG | _MASKED):
            raise CutOffError(f"the zip member {name!r} is encrypted")
        if (method == _STORED and size != whole) or (name.endswith("/") and whole):
            raise CutOffError(f"the zip member {name!r} has sizes that contradict each other")
        if attributes & _FOLDER and not name.endswith("/"):  # torch's reader would return uninitialised memory
            raise CutOffError(f"the zip member {name!r} is a file by its name and a folder by its attributes")
        entries.append(
            Entry(name=name, raw=raw, flags=flags, method=method, crc=crc, offset=offset, size=size, whole=whole)
        )
    if len(entries) != count:
        raise CutOffError("the zip archive's directory contradicts its end record")
    return entries


def _name(raw: bytes, flags: int, fields: dict[int, bytes]) -> str:
    """A member's name; raises CutOffError for one that zip readers decode differently."""
    unicode_path = fields.get(_UNICODE_PATH)
    if unicode_path is not None and unicode_path[5:] != raw:
        raise CutOffError(f"a zip member has two names: {raw[:100]!r} and {unicode_path[5:105]!r}")
    name = raw.decode("utf-8" if flags & _UTF8 or unicode_path is not None else "cp437")
    if not name or "\0" in name or "\\" in name:
        raise CutOffError(f"a zip member has a name that zip readers decode differently: {name[:100]!r}")
    return name


def _extras(extra: bytes) -> dict[int, bytes]:
    """The extra fields by kind."""
    fields: dict[int, bytes] = {}
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        if place + 4 + length > len(extra) or (kind in fields and kind in (_ZIP64, _UNICODE_PATH)):
            raise CutOffError("a zip member's extra fields are broken, or one occurs twice")
        fields[kind] = extra[place + 4 : place + 4 + length]
        place += 4 + length
    if any(extra[place:]):
        raise CutOffError("a zip member's extra fields are broken")
    return fields


def _exact(fields: dict[int, bytes], numbers: tuple[tuple[int, int], ...]) -> list[int]:
    """The numbers of a header; those that are too large for it are in its zip64 field, in the same order."""
    data = fields.get(_ZIP64)
    found: list[int] = []
    place = 0
    for value, full in numbers:
        width = 8 if full == _FULL32 else 4
        if value == full:
            if data is None or place + width > len(data):
                raise CutOffError("a zip member's zip64 field lacks a value that its header refers to")
            found.append(int.from_bytes(data[place : place + width], "little"))
            place += width
        else:
            found.append(value)
    if data is not None and place != len(data):  # some writers repeat small numbers in the zip64 field
        whole = b"".join(
            value.to_bytes(8 if full == _FULL32 else 4, "little")
            for value, (_, full) in zip(found, numbers, strict=True)
        )
        if not data or not whole.startswith(data):
            raise CutOffError("a zip member's zip64 field contradicts its header")
    return found


def _names_differ(entries: list[Entry]) -> None:
    """Raise CutOffError when two members are the same file for any reader.

    torch ignores the case of member names; the entry of a folder has no content.
    """
    torch = any(one.name.lower().rpartition("/")[2] in ("data.pkl", "version") for one in entries)
    files: set[str] = set()
    folders: set[str] = set()
    for one in entries:
        path = PurePosixPath(one.name.lower() if torch else one.name)
        kept = folders if one.name.endswith("/") else files
        if path.as_posix() in kept and kept is files:
            raise CutOffError(f"the zip archive contains {one.name!r} twice")
        kept.add(path.as_posix())
        folders.update(parent.as_posix() for parent in path.parents)
    if both := sorted((files & folders) - {"."}):
        raise CutOffError(f"the zip archive contains {both[0]!r} as a file and as a folder")


def _placed(file: BinaryIO, entries: list[Entry], end: int) -> list[Entry]:
    """The entries with the offsets of their data; members must fill the file up to the directory without gap or overlap."""
    order = sorted(range(len(entries)), key=lambda number: entries[number].offset)
    placed = list(entries)
    place = 0
    for rank, number in enumerate(order):
        one = entries[number]
        if one.offset != place:
            raise CutOffError("the zip archive contains bytes that belong to no member, or to two")
        start = _local(file, one)
        placed[number] = replace(one, start=start)
        place = start + one.size
        after = entries[order[rank + 1]].offset if rank + 1 < len(order) else end
        if one.flags & _DESCRIPTOR and after != place:
            _described(_at(file, place, min(after - place, 25)), one)
            place = after
    if place != end:
        raise CutOffError("the zip archive contains bytes that belong to no member, or to two")
    return placed


def _local(file: BinaryIO, one: Entry) -> int:
    """The offset of a member's data; raises CutOffError when its local header contradicts the directory."""
    head = _at(file, one.offset, _LOCAL.size)
    if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
        raise CutOffError(f"the zip member {one.name!r} is not where the directory says")
    _, _, flags, method, _, _, crc, size, whole, names, extras = _LOCAL.unpack(head)
    rest = file.read(names + extras)
    same = (_ENCRYPTED | _STRONG | _UTF8 | _MASKED) & (flags ^ one.flags) == 0 and method == one.method
    if not same or rest[:names] != one.raw or len(rest) != names + extras:
        raise CutOffError(f"the zip member {one.name!r} has two headers that contradict each other")
    fields = _extras(rest[names:])
    if fields.get(_UNICODE_PATH, b"12345" + one.raw)[5:] != one.raw:
        raise CutOffError(f"the zip member {one.name!r} has a second name")
    if not (flags & _DESCRIPTOR and fields.get(_ZIP64) == bytes(16)):  # the sizes follow the data
        whole, size = _exact(fields, ((whole, _FULL32), (size, _FULL32)))
    elif {whole, size} == {_FULL32}:
        whole = size = 0
    local, meant = (crc, size, whole), (one.crc, one.size, one.whole)
    later = flags & _DESCRIPTOR and one.flags & _DESCRIPTOR
    if local != meant and not (later and all(value in (0, right) for value, right in zip(local, meant, strict=True))):
        raise CutOffError(f"the zip member {one.name!r} has two headers that contradict each other")
    return one.offset + _LOCAL.size + int(names) + int(extras)


def _described(data: bytes, one: Entry) -> None:
    """Raise CutOffError unless the bytes after a member are its data descriptor, in one of four forms."""
    short = struct.pack("<3L", one.crc, one.size & _FULL32, one.whole & _FULL32)
    long = struct.pack("<LQQ", one.crc, one.size, one.whole)
    if data not in (short, long, b"PK\x07\x08" + short, b"PK\x07\x08" + long):
        raise CutOffError(f"the zip member {one.name!r} is followed by bytes that do not belong to it")
