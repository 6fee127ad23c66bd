"""Opcodes that are put where one reader might take them for data and another might run them."""

from __future__ import annotations

from tests.fuzz.generators import emit, names
from tests.fuzz.generators.emit import Context


def payload(c: Context) -> bytes:
    """Opcodes that look up a name which no allow-list has, and leave the stack as it was."""
    look_up = emit.look_up(c, *names.hidden(c.rng))
    way = c.rng.randrange(6)
    if way < 3:
        return look_up + b"0"
    if way == 3:
        return look_up + b")R0"
    if way == 4:
        return b"0" + look_up  # takes off what lies there
    return look_up + emit.tuple_of(c, emit.short("x")) + b"R0"


def sized(c: Context, size: int) -> bytes:
    """Exactly so many bytes of opcodes that do nothing."""
    if size == 1:
        return b"\x94"
    pair = c.rng.choice([b"N0", b")0", b"]0", b"(1"])
    return (b"K\x010" if size % 2 else b"") + pair * ((size - 3 * (size % 2)) // 2)
