"""Zip archives written by hand, so that every field may be other than it should be."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One member as an archive writes it: in its local header and again in the central directory."""

    name: bytes
    data: bytes  # as stored
    method: int
    crc: int
    whole: int
    flags: int = 0
    extra: bytes = b""
    size: int | None = None  # what the directory says of `data`
    local_name: bytes | None = None
    local_size: int | None = None


def entry(rng: random.Random, name: str, data: bytes) -> Entry:
    """A member, stored or deflated."""
    deflated = rng.random() < 0.3
    stored = _deflate(data) if deflated else data
    return Entry(name=name.encode(), data=stored, method=8 if deflated else 0, crc=zlib.crc32(data), whole=len(data))


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def packed(rng: random.Random, members: Mapping[str, bytes]) -> bytes:
    """A sound archive."""
    return written([entry(rng, name, data) for name, data in members.items()])


def local(one: Entry) -> bytes:
    """A member's local header and its bytes."""
    size = len(one.data) if one.local_size is None else one.local_size
    name = one.name if one.local_name is None else one.local_name
    head = struct.pack(
        "<4s5H3L2H", b"PK\3\4", 20, one.flags, one.method, 0, 33, one.crc, size & 0xFFFFFFFF, one.whole & 0xFFFFFFFF,
        len(name), len(one.extra),
    )  # fmt: skip
    return head + name + one.extra + one.data


def central(one: Entry, offset: int, *, comment: bytes = b"", extra: bytes = b"", disk: int = 0) -> bytes:
    """A member's record in the central directory."""
    size = len(one.data) if one.size is None else one.size
    head = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 20, 20, one.flags, one.method, 0, 33, one.crc, size & 0xFFFFFFFF, one.whole & 0xFFFFFFFF,
        len(one.name), len(extra), len(comment), disk, 0, 0, offset & 0xFFFFFFFF,
    )  # fmt: skip
    return head + one.name + extra + comment


def end(count: int, size: int, offset: int, *, comment: bytes = b"", disk: int = 0) -> bytes:
    """The end record."""
    numbers = (count & 0xFFFF, count & 0xFFFF, size & 0xFFFFFFFF, offset & 0xFFFFFFFF, len(comment))
    return struct.pack("<4s4H2LH", b"PK\5\6", disk, disk, *numbers) + comment


def end64(count: int, size: int, offset: int, place: int) -> bytes:
    """The zip64 end record, which lies at `place`, and its locator."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    return record + struct.pack("<4sLQL", b"PK\6\7", 0, place, 1)


def written(entries: list[Entry], *, start: int = 0, bias: int = 0, comment: bytes = b"") -> bytes:
    """Members, the directory and the end record; offsets count from `start`, less `bias`."""
    body, places = b"", []
    for one in entries:
        places.append(start + len(body) - bias)
        body += local(one)
    directory = b"".join(central(one, place) for one, place in zip(entries, places, strict=True))
    return body + directory + end(len(entries), len(directory), start + len(body) - bias, comment=comment)


def changed(rng: random.Random, one: Entry) -> Entry:
    """A member with one field that is not as it should be."""
    way = rng.randrange(9)
    if way == 0:
        return replace(one, local_name=rng.choice([b"other", one.name[::-1], one.name + b"\0x", one.name.upper()]))
    if way == 1:
        return replace(one, size=max(0, len(one.data) + rng.choice([-3, -1, 1, 5])))
    if way == 2:
        return replace(one, local_size=max(0, len(one.data) + rng.choice([-3, -1, 1, 5, -len(one.data)])))
    if way == 3:
        return replace(one, whole=max(0, one.whole + rng.choice([-3, -1, 1, 5])))
    if way == 4:
        return replace(one, flags=rng.choice([1, 8, 0x800, 0x40, 0x2000, 0x808]))
    if way == 5:
        return replace(one, crc=rng.getrandbits(32))
    if way == 6:
        return replace(one, method=rng.choice([0, 8, 9, 12, 14, 93, 99]))
    if way == 7:
        return replace(one, extra=struct.pack("<HH", rng.choice([1, 0x7075, 0x5455]), 8) + rng.randbytes(8))
    return replace(one, name=one.name + rng.choice([b"\0.txt", b"/", b" ", b"\xff", b"/../x"]))
