"""The opcodes of pickles as bytes: each function gives what pushes one value, in one of all the ways to write it."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Context:
    """What a program's parts share: the random numbers, how many memo entries there are, texts that lie in the memo."""

    rng: random.Random
    memo: int = 0
    memoizes: bool = True  # False for a part of another program, or one that is generated before what comes before it
    texts: dict[str, int] = field(default_factory=dict)  # text -> its memo entry
    framed: bool = False  # what is made now comes into a frame, in which no other should begin
    oddness: float = -1.0  # how much of it is other than libraries write it

    def __post_init__(self) -> None:
        if self.oddness < 0:
            self.oddness = self.rng.choice([0.0, 0.0, 0.3, 1.0, 2.0])

    def apart(self) -> Context:
        """The same, for a part of which nothing is remembered."""
        return Context(rng=self.rng, memoizes=False, oddness=self.oddness)

    def odd(self, share: float) -> bool:
        """True in this share of the cases, more or less of them as the program is odd."""
        return self.rng.random() < share * self.oddness

    def chance(self, share: float) -> bool:
        """True in this share of the cases."""
        return self.rng.random() < share


def short(value: str) -> bytes:
    """A text in the way that picklers write it."""
    data = value.encode("utf-8", "surrogatepass")
    return b"\x8c" + bytes([len(data)]) + data if len(data) < 256 else b"X" + struct.pack("<I", len(data)) + data


def text(c: Context, value: str) -> bytes:
    """A text in any encoding that a loader may read as it, or out of the memo."""
    rng = c.rng
    if value in c.texts and c.chance(0.5):
        return get(c, c.texts[value])
    if c.chance(0.6) or not c.oddness:
        pushed = short(value)
    else:
        data = value.encode("utf-8", "surrogatepass")
        way = rng.randrange(7)
        if way == 0:
            pushed = b"X" + struct.pack("<I", len(data)) + data
        elif way == 1:
            pushed = b"\x8d" + struct.pack("<Q", len(data)) + data
        elif way == 2:
            pushed = b"V" + _escaped(c, value) + b"\n"
        elif way == 3:
            quote = rng.choice([b"'", b'"'])
            pushed = b"S" + rng.choice([b"", b" "]) * c.chance(0.1) + quote + _quoted(c, value) + quote + b"\n"
        elif way == 4:
            pushed = b"T" + struct.pack("<i", len(data)) + data
        elif way == 5 and len(data) < 256:
            pushed = b"U" + bytes([len(data)]) + data
        else:
            pushed = short(value)
    if c.memoizes and c.chance(0.3):
        c.texts[value] = c.memo
        return pushed + memoize(c)
    return pushed


def _escaped(c: Context, value: str) -> bytes:
    written = []
    for letter in value:
        if c.odd(0.05) or letter in "\\\n\r" or ord(letter) > 255:
            written.append(f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}")
        else:
            written.append(letter)
    return "".join(written).encode("latin-1", "replace")


def _quoted(c: Context, value: str) -> bytes:
    written = []
    for byte in value.encode("utf-8", "surrogatepass"):
        if c.odd(0.05) or byte in b"\\'\"\n" or byte > 126:
            written.append(c.rng.choice([f"\\x{byte:02x}", f"\\{byte:03o}"]))
        else:
            written.append(chr(byte))
    return "".join(written).encode()


def integer(c: Context, value: int) -> bytes:
    """A whole number; where it is 0 or 1 it may be a truth value."""
    rng, way = c.rng, c.rng.randrange(8)
    if 0 <= value < 256 and way < 4:
        return b"K" + bytes([value])
    if 0 <= value < 1 << 16 and way == 4:
        return b"M" + struct.pack("<H", value)
    if -(1 << 31) <= value < 1 << 31 and way < 6:
        return b"J" + struct.pack("<i", value)
    if way == 6:
        return b"I" + rng.choice([f"{value}", f" {value}", f"{value:+d}", f"{value} "]).encode() + b"\n"
    data = value.to_bytes((value.bit_length() // 8) + 1, "little", signed=True) if value else b""
    if way == 7:
        return b"L" + f"{value}{rng.choice(['L', ''])}".encode() + b"\n"
    return b"\x8a" + bytes([len(data)]) + data


def raw(c: Context, data: bytes) -> bytes:
    """Bytes, or what a loader reads as them."""
    way = c.rng.randrange(6)
    if way < 3 and len(data) < 256:
        return b"C" + bytes([len(data)]) + data
    if way == 3:
        return b"\x8e" + struct.pack("<Q", len(data)) + data
    if way == 4:
        return b"\x96" + struct.pack("<Q", len(data)) + data
    return b"B" + struct.pack("<I", len(data)) + data


def memoize(c: Context) -> bytes:
    """Remember the top of the stack."""
    if not c.memoizes:
        return b""
    number = c.memo
    c.memo += 1
    way = c.rng.randrange(10)
    if way < 6:
        return b"\x94"
    if way < 8 and number < 256:
        return b"q" + bytes([number])
    if way == 8:
        return b"r" + struct.pack("<I", number)
    return b"p" + c.rng.choice([f"{number}", f" {number}", f"0{number}"]).encode() + b"\n"


def get(c: Context, number: int) -> bytes:
    """Push what was remembered."""
    way = c.rng.randrange(8)
    if way < 6 and number < 256:
        return b"h" + bytes([number])
    return b"j" + struct.pack("<I", number) if way == 6 else b"g%d\n" % number


def look_up(c: Context, module: str, name: str) -> bytes:
    """A name, written in any way."""
    if c.chance(0.4) and "\n" not in module + name:
        return b"c" + module.encode("utf-8", "replace") + b"\n" + name.encode("utf-8", "replace") + b"\n"
    return text(c, module) + text(c, name) + b"\x93"


def tuple_of(c: Context, *parts: bytes) -> bytes:
    """A tuple of what the parts push."""
    if not parts:
        return c.rng.choice([b")", b"(t"])
    if len(parts) < 4 and c.chance(0.6):
        return b"".join(parts) + bytes([0x84 + len(parts)])
    return b"(" + b"".join(parts) + b"t"


def dict_of(c: Context, *pairs: bytes) -> bytes:
    """A dict of keys and values, one after the other."""
    way = c.rng.randrange(10) if c.oddness else 0
    if way < 6:
        return b"}(" + b"".join(pairs) + b"u"
    if way < 8:
        return b"(" + b"".join(pairs) + b"d"
    if way == 8 and len(pairs) % 2 == 0:
        return b"}" + b"".join(key + value + b"s" for key, value in zip(pairs[::2], pairs[1::2], strict=True))
    return b"ccollections\nOrderedDict\n)R(" + b"".join(pairs) + b"u"


def frame(c: Context, piece: bytes) -> bytes:
    """A piece in a frame, whose length is mostly right."""
    if c.framed and not c.odd(0.3):
        return piece
    length = len(piece)
    if c.odd(0.3):
        length = max(0, length + c.rng.choice([-9, -4, -2, -1, 1, 2, 8, 30, -length]))
    return b"\x95" + struct.pack("<Q", length) + piece
