"""Archives of torch, numpy and others whose readers may disagree about what lies in them."""

from __future__ import annotations

import random
from dataclasses import replace

from tests.fuzz.cases import Input
from tests.fuzz.generators import zips
from tests.fuzz.generators.arrays import npy
from tests.fuzz.generators.emit import Context, short
from tests.fuzz.generators.hiding import payload
from tests.fuzz.generators.mutators import mutated
from tests.fuzz.generators.programs import stream
from tests.fuzz.generators.zips import Entry

_TORCH = "archive/"


def make(rng: random.Random) -> Input:
    """An archive."""
    way = rng.randrange(10)
    if way < 6:
        members, suffix = _torch(rng), ".pt"
    elif way < 8:
        members, suffix = {"a.npy": _npy(rng), "b.npy": _npy(rng)}, ".npz"
    else:
        members, suffix = {"model.pkl": _pickle(rng), "notes.txt": b"notes\n" * 20}, ".zip"
    entries = [zips.entry(rng, name, data) for name, data in members.items()]
    if suffix == ".pt" and rng.random() < 0.8:  # torch stores, and aligns
        entries = [replace(one, data=data, method=0) for one, data in zip(entries, members.values(), strict=True)]
    shape = rng.choice(sorted(_SHAPES))
    data = _SHAPES[shape](rng, entries)
    if rng.random() < 0.1:
        data, shape = mutated(rng, data), f"{shape}+bytes"
    return Input(data=data, suffix=suffix, recipe=shape)


def _torch(rng: random.Random) -> dict[str, bytes]:
    number = b"storage", b"0", b"cpu"
    storage = b"(" + short(number[0].decode()) + b"ctorch\nFloatStorage\n" + short("0") + short("cpu") + b"K\x02tQ"
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"K\x00K\x02\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
    )
    plain = b"\x80\x02ccollections\nOrderedDict\n)R(" + short("weight") + tensor + b"u."
    data = plain if rng.random() < 0.6 else _pickle(rng)
    found = {f"{_TORCH}data.pkl": data, f"{_TORCH}byteorder": b"little", f"{_TORCH}data/0": rng.randbytes(8)}
    found[f"{_TORCH}version"] = b"3\n"
    if rng.random() < 0.1:
        found[f"{_TORCH}.data/serialization_id"] = b"1" * 40
    if rng.random() < 0.1:
        found = dict(sorted(found.items(), reverse=True))
    return found


def _pickle(rng: random.Random) -> bytes:
    c = Context(rng=rng)
    return stream(c, arrays=False) if rng.random() < 0.7 else b"\x80\x02]."


def _hostile(rng: random.Random, one: Entry) -> Entry:
    """The same member with a pickle that looks up a name which must not stay unseen."""
    data = b"\x80\x02" + payload(Context(rng=rng)).lstrip(b"0") + b"]."
    if one.name.endswith(b".npy"):
        data = npy(Context(rng=rng), data)
    return replace(zips.entry(rng, one.name.decode("latin-1"), data), name=one.name, data=data, method=0)


def _npy(rng: random.Random) -> bytes:
    return npy(Context(rng=rng), _pickle(rng))


def _sound(rng: random.Random, entries: list[Entry]) -> bytes:  # noqa: ARG001 - a shape's interface
    return zips.written(entries)


def _fields(rng: random.Random, entries: list[Entry]) -> bytes:
    place = rng.randrange(len(entries))
    entries[place] = zips.changed(rng, entries[place])
    return zips.written(entries)


def _doubled(rng: random.Random, entries: list[Entry]) -> bytes:
    """Two members of one name, or of names that some readers take for one."""
    place = rng.randrange(len(entries))
    other = _hostile(rng, entries[place])
    way = rng.randrange(5)
    if way == 1:
        other = replace(other, name=other.name.upper())
    elif way == 2:
        other = replace(other, name=other.name + b"\0")
    elif way == 3:
        other = replace(other, name=other.name.replace(b"/", b"\\"))
    elif way == 4:
        other = replace(other, name=b"/" + other.name)
    entries.insert(rng.choice([0, place, len(entries)]), other)
    return zips.written(entries)


def _two_directories(rng: random.Random, entries: list[Entry]) -> bytes:
    """Two archives in one: some readers find the directory by its offset, some by where it must end."""
    others = [_hostile(rng, one) if one.name.endswith((b".pkl", b".npy")) else one for one in entries]
    first, second = (others, entries) if rng.random() < 0.5 else (entries, others)
    body, places = _laid(first, 0)
    body += b"\0" * (2 * sum(len(zips.local(one)) for one in second))  # so that no offset becomes negative
    told_at = len(body)
    body += _directory(first, places, 0)
    more, places = _laid(second, len(body))
    body += more
    shift = len(body) - told_at if rng.random() < 0.8 else 0
    directory = _directory(second, places, shift)
    at = told_at if rng.random() < 0.8 else rng.choice([len(body), told_at + 1, 0])
    return body + directory + zips.end(len(second), len(directory), at)


def _laid(entries: list[Entry], start: int) -> tuple[bytes, list[int]]:
    """Members one after the other from `start` on, and where each begins."""
    body, places = b"", []
    for one in entries:
        places.append(start + len(body))
        body += zips.local(one)
    return body, places


def _directory(entries: list[Entry], places: list[int], shift: int) -> bytes:
    return b"".join(zips.central(one, place - shift) for one, place in zip(entries, places, strict=True))


def zips_end() -> int:
    """The length of an end record."""
    return len(zips.end(0, 0, 0))


def _shadowed(rng: random.Random, entries: list[Entry]) -> bytes:
    """A directory that leads to other bytes than the local headers in their order."""
    body, places = b"", []
    for one in entries:
        if one.name.endswith((b".pkl", b".npy")) and rng.random() < 0.7:
            body += zips.local(_hostile(rng, one))
        places.append(len(body))
        body += zips.local(one)
    directory = b"".join(zips.central(one, place) for one, place in zip(entries, places, strict=True))
    return body + directory + zips.end(len(entries), len(directory), len(body))


def _zip64(rng: random.Random, entries: list[Entry]) -> bytes:
    """An archive with a zip64 end record, which may say something else than the plain one."""
    sound = zips.written(entries)
    size = sum(len(zips.central(one, 0)) for one in entries)
    at = len(sound) - zips_end() - size
    body, place = sound[: at + size], at + size
    hostile, places = [_hostile(rng, one) for one in entries], []
    if rng.random() < 0.5:  # a second directory, for whoever believes the other record
        for one in hostile:
            places.append(len(body))
            body += zips.local(one)
        other_at = len(body)
        other = b"".join(zips.central(one, offset) for one, offset in zip(hostile, places, strict=True))
        body += other
        place = len(body)
        first, second = (at, size), (other_at, len(other))
        if rng.random() < 0.5:
            first, second = second, first
        plain = (0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF) if rng.random() < 0.3 else (len(entries), second[1], second[0])
        return body + zips.end64(len(entries), first[1], first[0], place) + zips.end(*plain)
    count = len(entries) + rng.choice([0, 0, 0, 1, -1])
    record = zips.end64(count, size, at + rng.choice([0, 0, 0, 1]), place + rng.choice([0, 0, 0, 8]))
    plain = rng.choice([(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF), (len(entries), size, at), (0xFFFF, size, 0xFFFFFFFF)])
    return body + record + zips.end(*plain)


def _around(rng: random.Random, entries: list[Entry]) -> bytes:
    """Bytes before, behind or in the comment of an archive."""
    front = rng.choice([b"", b"\0" * 7, b"PK\3\4" + b"\0" * 30, b"\x80\x02]." + b"\0" * 4, _tar_head()])
    bias = len(front) if rng.random() < 0.5 else 0
    comment = rng.choice([b"", b"words", zips.end(0, 0, 0), zips.end(1, 46, 0, comment=b"x")])
    behind = rng.choice([b"", b"", b"\0", b"junk", zips.end(0, 0, 0)])
    return front + zips.written(entries, start=len(front), bias=bias, comment=comment) + behind


def _tar_head() -> bytes:
    """The first block of a tar with one member, whose name begins like a zip's local header."""
    name = b"PK\3\4pickle"
    head = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + b"00000000020\0" + b"0" * 12
    head += b" " * 8 + b"0" + b"\0" * 100 + b"ustar\x0000"
    head = head.ljust(512, b"\0")
    return head[:148] + b"%06o\0 " % sum(head) + head[156:] + (b"cos\nsystem\n0N.").ljust(512, b"\0")


def _disks(rng: random.Random, entries: list[Entry]) -> bytes:
    sound = zips.written(entries)
    size = sum(len(zips.central(one, 0)) for one in entries)
    at = len(sound) - zips_end() - size
    count = len(entries) + rng.choice([-1, 0, 1])
    return sound[: -zips_end()] + zips.end(
        count, size + rng.choice([-46, 0, 0, 1]), at + rng.choice([0, 1, -4]), disk=rng.randrange(2)
    )


_SHAPES = {
    "sound": _sound,
    "fields": _fields,
    "doubled": _doubled,
    "two directories": _two_directories,
    "shadowed": _shadowed,
    "zip64": _zip64,
    "around": _around,
    "disks": _disks,
}
