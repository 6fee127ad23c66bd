"""Arrays in pickles: numpy's own, joblib's wrappers with their bytes behind them, and dtypes of every shape."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.generators import emit
from tests.fuzz.generators.emit import Context
from tests.fuzz.generators.hiding import payload, sized

_PLAIN = {"f8": 8, "f4": 4, "i8": 8, "i4": 4, "u1": 1, "i1": 1, "b1": 1, "c16": 16, "S3": 3, "U2": 8, "V5": 5, "M8": 8}


@dataclass(frozen=True, kw_only=True)
class DType:
    """A dtype's opcodes, the bytes of an element, and whether elements are objects."""

    code: bytes
    size: int
    objects: bool = False


def _name(c: Context, module: str, name: str) -> bytes:
    return emit.look_up(c, module, name)


def dtype(c: Context, depth: int = 0) -> DType:
    """A dtype: mostly a plain one in numpy's own form."""
    way = c.rng.random()
    if way < 0.15 and depth < 2:
        return _structured(c, depth)
    if way < 0.2:
        return DType(code=_name(c, "numpy", "float64"), size=8)
    if way < 0.22 and depth < 2:
        inner = dtype(c, depth + 1)  # a dtype of a dtype
        return DType(code=_made(c, inner.code), size=inner.size, objects=inner.objects)
    if way < 0.4:
        form, size, objects = "O8", 8, True
    else:
        form, size = c.rng.choice(sorted(_PLAIN.items()))
        objects = False
    if c.odd(0.1):
        form = form[0] if form[0] in "OfSUV" and form != "f4" else form
        size = {"f": 4, "S": 0, "U": 0, "V": 0}.get(form, size)
    code = _made(c, emit.text(c, c.rng.choice(["", "", "", "<", "|", ">"]) + form))
    if c.chance(0.6):
        code += _state(c, c.rng.choice(["<", "|", "<"]), b"N", b"N", b"N", flags=63 if objects else 0)
    return DType(code=code, size=size, objects=objects)


def _made(c: Context, form: bytes) -> bytes:
    way = c.rng.randrange(20) if c.oddness else 0
    flags = c.rng.choice([b"\x89\x88", b"K\x00K\x01", b"\x88\x88", b"I00\nI01\n"]) if c.odd(0.3) else b"\x89\x88"
    if way < 16:
        return (
            _name(c, "numpy", "dtype")
            + emit.tuple_of(c, form, flags[: len(flags) // 2], flags[len(flags) // 2 :])
            + b"R"
        )
    if way < 17:
        return _name(c, "numpy", "dtype") + emit.tuple_of(c, form) + b"\x81"
    if way < 18:
        return b"(" + _name(c, "numpy", "dtype") + form + b"\x89\x88o"
    if way < 19:
        return b"(" + form + b"\x89\x88inumpy\ndtype\n"
    maker = c.rng.choice([("copyreg", "_reconstructor"), ("copyreg", "__newobj__"), ("functools", "partial")])
    return _name(c, *maker) + emit.tuple_of(c, _name(c, "numpy", "dtype"), form) + b"R"


def _state(c: Context, order: str, sub: bytes, names: bytes, fields: bytes, *, flags: int, size: int = -1) -> bytes:
    version = c.rng.choice([3, 3, 3, 3, 2, 1, 4]) if c.oddness else 3
    if c.odd(0.1):
        flags = c.rng.choice([0, 1, 3, 5, 16, 17, 27, 61, 63])
    parts = [emit.integer(c, version), emit.text(c, order), sub, names, fields]
    parts += [emit.integer(c, size), emit.integer(c, 1 if size >= 0 else -1), emit.integer(c, flags)]
    if version == 4:
        parts.append(c.rng.choice([b"N", b"}"]))
    if c.odd(0.03):
        del parts[c.rng.randrange(len(parts))]
    return b"(" + b"".join(parts) + b"tb"


def _structured(c: Context, depth: int) -> DType:
    if c.odd(0.02):
        inner = [DType(code=_made(c, emit.short("u1")), size=1)] * 1001
        inner += [_objects(c)] * c.chance(0.8)
    else:
        inner = [dtype(c, depth + 1) for _ in range(c.rng.randint(1, 3))]
        if c.chance(0.3):
            inner.append(_objects(c))
    names = [f"f{place}" for place in range(len(inner))]
    if c.odd(0.1) and depth == 0:
        names = ["", *names[1:]]
    places, size = [], 0
    for one in inner:
        places.append(size if not c.odd(0.03) else 0)
        size += one.size
    pairs: list[bytes] = []
    for name, one, place in zip(names, inner, places, strict=True):
        value = [one.code, emit.integer(c, place)] + ([emit.short("title")] if c.odd(0.03) else [])
        pairs += [emit.text(c, name), emit.tuple_of(c, *value)]
    objects = any(one.objects for one in inner)
    code = _made(c, emit.short(f"V{size}"))
    listed = emit.tuple_of(c, *(emit.text(c, name) for name in names))
    if c.odd(0.05):
        listed = b"(" + listed + b"lK\x000"
    code += _state(c, "|", b"N", listed, emit.dict_of(c, *pairs), flags=27 if objects else 0, size=size)
    if c.odd(0.08):
        sub = emit.tuple_of(c, code, emit.tuple_of(c, emit.integer(c, 2)))
        code = _made(c, emit.short(f"V{2 * size}")) + _state(
            c, "|", sub, b"N", b"N", flags=27 if objects else 0, size=2 * size
        )
        size *= 2
    return DType(code=code, size=size, objects=objects)


def _objects(c: Context) -> DType:
    code = _made(c, emit.short("O8"))
    if c.chance(0.7):
        code += b"(K\x03" + emit.short("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb"
    return DType(code=code, size=8, objects=True)


def numpy_array(c: Context, items: Callable[[], bytes]) -> bytes:
    """An array as numpy pickles it; `items` push the elements of an array of objects into a list."""
    kind, count = dtype(c.apart()), c.rng.randint(0, 4)
    home = c.rng.choice(["numpy._core.multiarray", "numpy.core.multiarray"])
    if c.odd(0.1):
        return _name(c, home, "scalar") + emit.tuple_of(c, kind.code, emit.raw(c, c.rng.randbytes(kind.size))) + b"R"
    if c.odd(0.1):
        home = home.replace("multiarray", "numeric")
        content = emit.raw(c, c.rng.randbytes(kind.size * count))
        shape = emit.tuple_of(c, emit.integer(c, count))
        return _name(c, home, "_frombuffer") + emit.tuple_of(c, content, kind.code, shape, emit.short("C")) + b"R"
    code = _name(c, home, "_reconstruct")
    code += emit.tuple_of(c, _name(c, "numpy", "ndarray"), emit.tuple_of(c, b"K\x00"), emit.raw(c, b"b")) + b"R"
    if c.chance(0.2):
        code += emit.memoize(c)
    content = items() if kind.objects and not c.odd(0.05) else emit.raw(c, c.rng.randbytes(kind.size * count))
    shape = emit.tuple_of(c, emit.integer(c, count))
    return code + b"(K\x01" + shape + kind.code + c.rng.choice([b"\x89", b"\x88"]) + content + b"tb"


_MAKERS = (
    ("pandas.core.indexes.base", "_new_Index"),
    ("sklearn.metrics._dist_metrics", "newObj"),
    ("copyreg", "__newobj__"),
    ("functools", "partial"),
)


def wrapper(c: Context, nested: bytes, hidden: bytes) -> bytes:
    """An array as joblib writes it: a wrapper, then its bytes, or for objects a pickle (`nested`).

    The bytes may be opcodes: `hidden` where joblib takes them for data, or the other way round where a frame ends elsewhere.
    """
    if c.odd(0.08):
        return _covered(c, hidden)
    if c.odd(0.08):
        return _sized_objects(c, b"\x80\x04" + payload(Context(rng=c.rng)).lstrip(b"0") + b"N.")
    kind = dtype(c.apart())
    count = c.rng.randint(0, 4)
    content = b""
    if not kind.objects:
        if c.chance(0.6):
            kind = DType(code=_made(c.apart(), emit.short("u1")), size=1)
            content = hidden if c.chance(0.7) else c.rng.randbytes(c.rng.randrange(12))
            count = len(content) + c.rng.choice([1, -1]) * (bool(content) and c.odd(0.2))
        else:
            content = c.rng.randbytes(kind.size * count)
    head = _wrapper_head(c, kind, max(count, 0))
    if kind.objects:
        return emit.frame(c, head) + nested if c.chance(0.3) else head + nested
    padding = b"\xff" if c.odd(0.02) else b""
    if not c.framed and c.chance(0.3):  # a frame that ends before, behind or amid the array's bytes
        if c.odd(0.5) and content:
            behind = sized(c, len(content))
            first, second = (content, behind) if c.chance(0.7) else (behind, content)
            return b"\x95" + struct.pack("<Q", len(head) + len(first)) + head + first + second
        return emit.frame(c, head) + padding + content
    return head + padding + content


def _covered(c: Context, hidden: bytes) -> bytes:
    """A string whose head is an array's bytes for joblib, which then runs what the string holds."""
    head = b"B" + struct.pack("<I", len(hidden))
    kind = DType(code=_made(c.apart(), emit.short("u1")), size=1)
    return b"(" + _wrapper_head(c, kind, len(head)) + head + hidden + b"1N"


def _sized_objects(c: Context, nested: bytes) -> bytes:
    """A pickle of objects in an array whose elements are as long as the pickle, for whoever overlooks that they are objects."""
    size = max(len(nested), 8)
    apart = c.apart()
    fields = [("a", _objects(apart))]
    if c.chance(0.3):
        fields = [(f"f{place}", DType(code=_made(apart, emit.short("u1")), size=1)) for place in range(1001)] + fields
    pairs = [part for name, one in fields for part in (emit.short(name), one.code + b"K\x00\x86")]
    names = b"(" + b"".join(emit.short(name) for name, _ in fields) + b"t"
    code = _made(apart, emit.short(f"V{size}"))
    code += _state(apart, "|", b"N", names, emit.dict_of(apart, *pairs), flags=c.rng.choice([27, 63, 0]), size=size)
    return _wrapper_head(c, DType(code=code, size=size, objects=True), 1) + nested.ljust(size, b"0")


def _wrapper_head(c: Context, kind: DType, count: int) -> bytes:
    class_name = "NumpyArrayWrapper" if not c.odd(0.03) else c.rng.choice(["NDArrayWrapper", "ZNDArrayWrapper"])
    home = "joblib.numpy_pickle_compat" if c.odd(0.1) else "joblib.numpy_pickle"
    named = _name(c, home, class_name)
    way = c.rng.randrange(20) if c.oddness else 0
    if way < 12:
        made = named + b")\x81"
    elif way < 13:
        made = b"(" + named + b"NN" * 2 + b"No"
    elif way < 14:
        made = named + b")}\x92"
    elif way < 16:
        made = (
            _name(c, "copyreg", "_reconstructor") + emit.tuple_of(c, named, _name(c, "builtins", "object"), b"N") + b"R"
        )
    elif way < 17:
        made = named + emit.tuple_of(c, b"N", b"N", b"N", b"N") + b"R"
    elif way < 18:
        items = b"(" + named + _name(c, "builtins", "object") + b"Ne"
        container = c.rng.choice([b"]" + items, b"ccollections\ndeque\n](" + items[1:-1] + b"e\x85R"])
        made = _name(c, "copyreg", "_reconstructor") + container + b"R"
    else:
        maker = c.rng.choice(_MAKERS)
        more = [b"}"] if maker[1] == "_new_Index" else []
        made = _name(c, *maker) + emit.tuple_of(c, named, *more) + b"R"
    shape = emit.tuple_of(c, emit.integer(c, count)) if not c.odd(0.05) else b"](" + emit.integer(c, count) + b"e"
    pairs = [
        (emit.text(c, "subclass"), _name(c, "numpy", "ndarray")),
        (emit.text(c, "shape"), shape),
        (emit.text(c, "order"), emit.text(c, c.rng.choice("CCF"))),
        (emit.text(c, "dtype"), kind.code),
        (emit.text(c, "allow_mmap"), b"\x89"),
    ]
    pairs.append((emit.text(c, "numpy_array_alignment_bytes"), c.rng.choice([b"N", b"N", b"N", b"K\x10"])))
    if c.odd(0.05):
        del pairs[c.rng.randrange(len(pairs))]
    if c.odd(0.05):
        pairs.append((emit.text(c, "shape"), emit.tuple_of(c, emit.integer(c, 1))))
    state = emit.dict_of(c, *(part for pair in pairs for part in pair))
    if c.odd(0.05):
        state = emit.tuple_of(c, state, b"}") if c.chance(0.5) else emit.tuple_of(c, b"N", state)
    return made + state + b"b"


def npy(c: Context, nested: bytes) -> bytes:
    """A .npy: its header, then raw bytes or a pickle of objects."""
    descr, size = c.rng.choice(
        [("'<f8'", 8), ("'|u1'", 1), ("'|O'", 0), ("'|O'", 0), ("'O8'", 0), ("[('a', '|O'), ('b', '<i4')]", 0)]
    )
    if c.chance(0.3):
        choices = [
            "'O'",
            "[('a', [('b', '|O')])]",
            "('|O', (2,))",
            "[('a', '|O', (1,))]",
            "{'names': ['a'], 'formats': ['O']}",
        ]
        descr, size = (
            c.rng.choice([*choices, "[('a', ('|O', (2,)))]", "[(('t', 'a'), '|O')]", "'object'", "'|V8'", "'object_'"]),
            0,
        )
    count = c.rng.randint(0, 3)
    header = f"{{'descr': {descr}, 'fortran_order': {c.rng.choice(['False', 'True'])}, 'shape': ({count},), }}"
    if c.odd(0.1):
        header = header.replace("{'descr'", "{'descr': '<f8', 'descr'")
    version = c.rng.choice([1, 1, 1, 2, 3])
    length = len(header) + 1 + c.rng.choice([0, 0, 16])
    packed = struct.pack("<H" if version == 1 else "<I", length)
    body = header.ljust(length - 1).encode() + b"\n"
    content = c.rng.randbytes(size * count) if size else nested
    return b"\x93NUMPY" + bytes([version, 0]) + packed + body + content


__all__ = ["DType", "dtype", "npy", "numpy_array", "payload", "wrapper"]
