"""Pickles as files: programs, edited honest ones, several in a row, compressed, in .npy, .npz and archives."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickletools
import random
import zlib
from collections.abc import Callable

from tests.fuzz.cases import Input
from tests.fuzz.generators import emit, seeds
from tests.fuzz.generators.arrays import npy, wrapper
from tests.fuzz.generators.emit import Context
from tests.fuzz.generators.hiding import payload
from tests.fuzz.generators.mutators import mutated
from tests.fuzz.generators.programs import piece, stream, value
from tests.fuzz.generators.zips import packed


def make(rng: random.Random) -> Input:
    """A file that holds pickles."""
    recipe, data = _content(rng)
    suffix = ".pkl"
    if rng.random() < 0.15:
        how = rng.choice(sorted(_PACKED))
        data, recipe, suffix = _PACKED[how](rng, data), f"{recipe}+{how}", f".{how}"
    if rng.random() < 0.08:
        data, recipe = mutated(rng, data), f"{recipe}+bytes"
    return Input(data=data, suffix=suffix, recipe=recipe)


def _content(rng: random.Random) -> tuple[str, bytes]:
    way = rng.random()
    c = Context(rng=rng)
    if way < 0.45:
        return "program", stream(c) + _trailer(c)
    if way < 0.6:
        return "spliced", _spliced(c)
    if way < 0.72:
        return "around", _around(c)
    if way < 0.78:
        return "opcodes", _reordered(rng, rng.choice(seeds.pickles())) + _trailer(c)
    if way < 0.84:
        return "bytes", mutated(rng, rng.choice(seeds.pickles()))
    if way < 0.87:
        return "seed", rng.choice(seeds.pickles())
    if way < 0.92:
        return "several", b"".join(stream(Context(rng=rng)) for _ in range(rng.randint(2, 4)))
    if way < 0.95:
        return "torch", _torch_legacy(rng)
    nested = stream(Context(rng=rng)) + _trailer(c)
    return "npy", npy(c, nested)


def _trailer(c: Context) -> bytes:
    """What follows a pickle: mostly nothing."""
    way = c.rng.randrange(14)
    if way == 0:
        return payload(c) + b"."
    if way == 1:
        return c.rng.choice([b"\n", b" " * 5, b"\0" * 70, b"\n" * 70]) + payload(c) * c.chance(0.5)
    return c.rng.randbytes(c.rng.randrange(20)) if way == 2 else b""


def _around(c: Context) -> bytes:
    """A sound pickle with arrays and pieces between its header and its first opcode."""
    seed = c.rng.choice([one for one in seeds.pickles() if one[:2] == b"\x80\x04"])
    parts = []
    for _ in range(c.rng.randint(1, 3)):
        inner = Context(rng=c.rng, memoizes=c.chance(0.1))
        code = wrapper(inner, b"\x80\x04" + value(inner, 2, arrays=False) + b".", payload(inner)) + b"0"
        parts.append(code if c.chance(0.6) else piece(inner))
    return seed[:2] + b"".join(parts) + seed[2:]


def _spliced(c: Context) -> bytes:
    """A sound pickle with pieces at some borders of its opcodes."""
    seed = c.rng.choice([one for one in seeds.pickles() if len(one) < 6000])
    places = _borders(seed)
    for place in sorted(c.rng.sample(places, min(len(places), c.rng.randint(1, 3))), reverse=True):
        inner = Context(rng=c.rng, memoizes=False)
        code = piece(inner) if c.chance(0.7) else payload(inner) * c.chance(0.1)
        if c.chance(0.2):
            code = emit.frame(inner, code)
        seed = seed[:place] + code + seed[place:]
    return seed


def _reordered(rng: random.Random, seed: bytes) -> bytes:
    """A pickle with an opcode dropped, doubled or moved."""
    places = _borders(seed)
    for _ in range(rng.randint(1, 3)):
        if len(places) < 4:
            break
        at = rng.randrange(1, len(places) - 2)
        start, end = places[at], places[at + 1]
        way = rng.randrange(3)
        if way == 0:
            seed = seed[:start] + seed[end:]
        elif way == 1:
            seed = seed[:end] + seed[start:end] + seed[end:]
        else:
            target = rng.choice(places)
            seed = seed[:target] + seed[start:end] + seed[target:]
        places = _borders(seed)
    return seed


def _borders(data: bytes) -> list[int]:
    found: list[int] = []
    try:
        for opcode, _, place in pickletools.genops(data):
            found.append(place or 0)
            if opcode.name == "STOP":
                break
    except Exception:  # noqa: BLE001 - it is broken from here on
        return found
    return found


def _torch_legacy(rng: random.Random) -> bytes:
    parts = [b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80\x02M\xe9\x03.", b"\x80\x02}."]
    parts += [stream(Context(rng=rng), arrays=rng.random() < 0.1), b"\x80\x02]."]
    if rng.random() < 0.3:
        parts[rng.randrange(len(parts))] = stream(Context(rng=rng), arrays=False)
    return b"".join(parts) + rng.randbytes(rng.randrange(20))


def _lz4(rng: random.Random, data: bytes) -> bytes:  # noqa: ARG001 - a packer's interface
    from lz4 import frame

    return bytes(frame.compress(data))


def _zfile(rng: random.Random, data: bytes) -> bytes:
    length = hex(len(data) + rng.choice([0, 0, 0, 0, -5, 1]))
    return b"ZF" + length.encode().ljust(19) + zlib.compress(data)


def _members(rng: random.Random, data: bytes, compress: str) -> bytes:
    # A compressed file may have several parts, which some readers join and others do not.
    pack = _COMPRESSORS[compress]
    # joblib's readers of zlib and gzip never end where another part follows, which tells nothing and takes time.
    share = 0.02 if compress in ("z", "gz") else 0.3
    if rng.random() < share:
        place = rng.randrange(len(data) + 1)
        return pack(data[:place]) + rng.choice([b"", b"", b"\0" * 4, b"junk"]) + pack(data[place:])
    behind = rng.choice([b"\0" * 8, b"cos\nsystem\n.", pack(b"cos\nsystem\n.")])
    return pack(data) + (behind if rng.random() < share else b"")


_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "z": zlib.compress,
}
_PACKED: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "gz": lambda rng, data: _members(rng, data, "gz"),
    "bz2": lambda rng, data: _members(rng, data, "bz2"),
    "xz": lambda rng, data: _members(rng, data, "xz"),
    "z": lambda rng, data: _members(rng, data, "z"),
    "lzma": lambda _, data: lzma.compress(data, lzma.FORMAT_ALONE),
    "lz4": _lz4,
    "zf": _zfile,
    "npz": lambda rng, data: packed(rng, {"a.npy": npy(Context(rng=rng), data), "b.npy": npy(Context(rng=rng), data)}),
}
