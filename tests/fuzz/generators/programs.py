"""Random pickle programs: mostly sound ones, so that loaders get far, over every opcode that there is."""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.fuzz.generators import emit, names
from tests.fuzz.generators.arrays import numpy_array, wrapper
from tests.fuzz.generators.emit import Context
from tests.fuzz.generators.hiding import payload

_DEEPEST = 4
_WORDS = ("a", "b", "classes_", "coef_", "x" * 40, "", "predict", "__class__", "ü", "name")


def stream(c: Context, *, arrays: bool = True) -> bytes:
    """One pickle, from its header to its STOP."""
    protocol = c.rng.choice([0, 1, 2, 3, 4, 4, 4, 4, 5])
    head = b"\x80" + bytes([protocol]) if c.chance(0.9) else b""
    pieces = c.rng.choice([0, 1, 1, 2, 3])
    body = b"".join(_maybe_framed(c, lambda: piece(c, arrays=arrays)) for _ in range(pieces))
    return head + body + _maybe_framed(c, lambda: value(c, 0, arrays=arrays)) + b"."


def _maybe_framed(c: Context, make: Callable[[], bytes]) -> bytes:
    if not c.chance(0.25):
        return make()
    c.framed = True
    code = make()
    c.framed = False
    return emit.frame(c, code)


def piece(c: Context, *, arrays: bool = True) -> bytes:
    """Opcodes that leave the stack as it was."""
    way = c.rng.randrange(12)
    if way < 7:
        return value(c, 1, arrays=arrays) + b"0"
    if way == 7:
        return b"\x80" + bytes([c.rng.choice([2, 3, 4, 5])])
    if way == 8:
        return b"(" + value(c, 2, arrays=arrays) + value(c, 2, arrays=arrays) + b"1"
    if way == 9:
        return emit.short("a") + b"20" + b"0"
    if way == 10:
        return emit.frame(c, b"")
    return payload(c) if c.odd(0.1) else b"(1"


def value(c: Context, depth: int, *, arrays: bool = True) -> bytes:
    """Opcodes that push one value."""
    if depth >= _DEEPEST:
        return _leaf(c)
    ways: list[tuple[int, Callable[[], bytes]]] = [
        (8, lambda: _leaf(c)),
        (6, lambda: _container(c, depth, arrays)),
        (7, lambda: _instance(c, depth, arrays)),
        (3, lambda: emit.look_up(c, *names.named(c.rng))),
        (3, lambda: numpy_array(c, lambda: _list(c, depth, arrays))),
        (1, lambda: _odd(c, depth, arrays)),
    ]
    if arrays:
        ways.append((5, lambda: wrapper(c, _nested(c), _hidden(c))))
    weights, makers = zip(*ways, strict=True)
    code: bytes = c.rng.choices(makers, weights)[0]()
    if c.chance(0.15):
        code += emit.memoize(c)
    if c.odd(0.03):
        code += b"20"
    if c.odd(0.03):
        code = emit.frame(c, code)
    return code


def _nested(c: Context) -> bytes:
    """A pickle within the stream, as joblib writes an array of objects: of a memo of its own."""
    inner = Context(rng=c.rng)
    if c.chance(0.6):
        return stream(inner, arrays=c.chance(0.1))
    extra = payload(inner) if c.chance(0.1) else b""
    return b"\x80\x04" + extra + numpy_array(inner, lambda: b"](" + value(inner, 2, arrays=False) + b"e") + b"."


def _hidden(c: Context) -> bytes:
    if c.chance(0.5):
        return payload(Context(rng=c.rng))
    return c.rng.choice([b".", b"00", b"N0", b"\x80\x04N.", b""]) + payload(Context(rng=c.rng)) * c.chance(0.8)


def _leaf(c: Context) -> bytes:
    rng, way = c.rng, c.rng.randrange(12)
    if way < 3:
        return emit.text(c, rng.choice(_WORDS))
    if way < 5:
        return emit.integer(c, rng.choice([0, 1, 2, 7, 255, 256, 65535, -1, -300, 1 << 31, -(1 << 31), 1 << 40]))
    if way == 5:
        return rng.choice([b"N", b"\x88", b"\x89", b"I00\n", b"I01\n"])
    if way == 6:
        return b"G" + struct.pack(">d", rng.random()) if c.chance(0.7) else b"F%d.5\n" % rng.randrange(9)
    if way == 7:
        return emit.raw(c, payload(Context(rng=rng)) if c.chance(0.5) else rng.randbytes(rng.randrange(20)))
    if way == 8 and c.memo and c.memoizes:
        return emit.get(c, rng.randrange(c.memo))
    if way == 9:
        hidden = payload(Context(rng=rng))
        return rng.choice(
            [
                (b"X" if hidden.isascii() else b"B") + struct.pack("<I", len(hidden)) + hidden,
                b"\x8b" + struct.pack("<i", len(hidden)) + hidden,
            ]
        )
    return rng.choice([b")", b"]", b"}", b"\x8f"])


def _list(c: Context, depth: int, arrays: bool) -> bytes:
    items = [value(c, depth + 1, arrays=arrays) for _ in range(c.rng.randrange(4))]
    way = c.rng.randrange(4)
    if way == 0:
        return b"(" + b"".join(items) + b"l"
    if way == 1:
        return b"]" + b"".join(item + b"a" for item in items)
    return b"](" + b"".join(items) + b"e"


def _container(c: Context, depth: int, arrays: bool) -> bytes:
    way = c.rng.randrange(6)
    items = [value(c, depth + 1, arrays=arrays) for _ in range(c.rng.randrange(3))]
    if way < 2:
        return _list(c, depth, arrays)
    if way == 2:
        return emit.tuple_of(c, *items)
    if way == 3:
        return emit.dict_of(c, *(part for item in items for part in (emit.text(c, c.rng.choice(_WORDS)), item)))
    if way == 4:
        return b"\x8f(" + b"".join(_leaf(c) for _ in items) + b"\x90"
    return b"(" + b"".join(_leaf(c) for _ in items) + b"\x91"


def _instance(c: Context, depth: int, arrays: bool) -> bytes:
    """An object made by an allowed name in any way, with a state, items or pairs."""
    name = names.called(c.rng)
    way = c.rng.randrange(10)
    apart = c.apart() if way == 7 else c
    looked_up = emit.look_up(apart, *name)
    if way == 9:
        head = emit.look_up(c, "copyreg", "_reconstructor")
        looked_up = emit.look_up(c, *name)
    args = [value(c, depth + 1, arrays=arrays) for _ in range(c.rng.choice([0, 0, 0, 1, 2]) * (way < 9))]
    if way < 4:
        code = looked_up + emit.tuple_of(c, *args) + b"\x81"
    elif way < 6:
        code = looked_up + emit.tuple_of(c, *args) + b"R"
    elif way == 6:
        code = b"(" + looked_up + b"".join(args) + b"o"
    elif way == 7:
        code = b"(" + b"".join(args) + b"i" + "\n".join(name).encode() + b"\n"
    elif way == 8:
        code = looked_up + emit.tuple_of(c, *args) + b"}\x92"
    else:
        code = head + emit.tuple_of(c, looked_up, emit.look_up(c, "builtins", "object"), b"N") + b"R"
    if c.chance(0.2):
        code += emit.memoize(c)
    return code + _filling(c, depth, arrays)


def _filling(c: Context, depth: int, arrays: bool) -> bytes:
    """What is put into an instance after it was made."""
    way = c.rng.randrange(12 if c.odd(0.5) else 6)
    if way < 6:
        pairs = [
            (emit.text(c, c.rng.choice(_WORDS)), value(c, depth + 1, arrays=arrays)) for _ in range(c.rng.randrange(3))
        ]
        return emit.dict_of(c, *(part for pair in pairs for part in pair)) + b"b"
    if way == 6:
        return value(c, depth + 1, arrays=arrays) + b"b"
    if way == 7:
        return c.rng.choice([_leaf(c) + b"a", b"(" + _leaf(c) + b"e", b"(" + _leaf(c) + b"\x90"])
    return emit.text(c, c.rng.choice(_WORDS)) + _leaf(c) + b"s" if way == 8 else b""


def _odd(c: Context, depth: int, arrays: bool) -> bytes:
    """Opcodes that few files hold."""
    way = c.rng.randrange(6)
    if way == 0:
        return c.rng.choice([b"\x82\x01", b"\x83\x01\x00", b"\x84\x01\x00\x00\x00"])
    if way == 1:
        return c.rng.choice([b"Pabc\n", emit.short("a") + b"Q"])
    if way == 2:
        return c.rng.choice([b"\x97", b"\x97\x98", b"\x96" + struct.pack("<Q", 3) + b"abc\x98"])
    if way == 3:
        storage = emit.tuple_of(
            c,
            emit.short("storage"),
            emit.look_up(c, "torch", "FloatStorage"),
            emit.short("0"),
            emit.short("cpu"),
            b"K\x01",
        )
        return storage + b"Q"
    if way == 4:
        return b"K\x01" + emit.look_up(c, *names.named(c.rng)) + b"0"
    code = value(c, depth + 1, arrays=arrays) + emit.memoize(c)
    return code + emit.get(c, c.memo - 1) + b"0" if c.memoizes else code
