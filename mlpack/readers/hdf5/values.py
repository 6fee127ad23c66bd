"""Parse HDF5's data types, data spaces and attributes into texts, numbers and shapes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from mlpack.readers.hdf5.blocks import Blocks, Cursor, utf8
from mlpack.readers.limits import CutOffError

_NUMBER, _FLOAT, _TEXT, _ENUM, _VARIABLE = 0, 1, 3, 8, 9
_MOST_VALUES = 100_000
_FLOATS = {2: "e", 4: "f", 8: "d"}
_OPAQUE = 5
# IEEE layouts by size: sign bit; exponent's bit and width, mantissa's bit and width, exponent's bias.
_IEEE = {2: (15, (10, 5, 0, 10, 15)), 4: (31, (23, 8, 0, 23, 127)), 8: (63, (52, 11, 0, 52, 1023))}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A data type: its class and size in bytes; `signed` for whole numbers, `text` for texts of variable length."""

    form: int
    size: int
    signed: bool = False
    little: bool = True
    text: bool = False

    @property
    def name(self) -> str:
        """The Open Inference name; "" for other types."""
        if self.form == _FLOAT:
            return {2: "FP16", 4: "FP32", 8: "FP64"}.get(self.size, "")
        if self.form == _NUMBER and self.size in (1, 2, 4, 8):
            return ("INT" if self.signed else "UINT") + str(self.size * 8)
        if self.form == _ENUM and self.size == 1:
            return "BOOL"  # h5py's form of numpy's bool
        return "BYTES" if self.form == _TEXT or self.text else ""


def datatype(cursor: Cursor) -> Kind:
    """Parse a data type message."""
    form = cursor.number(1) & 15
    bits = cursor.number(3)
    size = cursor.number(4)
    if form in (_NUMBER, _FLOAT) and not _is_usual(cursor, form, bits, size):
        return Kind(form=_OPAQUE, size=size)
    if form == _NUMBER:
        return Kind(form=form, size=size, signed=bool(bits & 8), little=not bits & 1)
    return Kind(form=form, size=size, little=not bits & 1, text=form == _VARIABLE and bits & 15 == 1)


def _is_usual(cursor: Cursor, form: int, bits: int, size: int) -> bool:
    """Whether a number has numpy's layout; HDF5 converts any other layout by its description."""
    if (cursor.number(2), cursor.number(2)) != (0, size * 8):
        return False
    if form == _NUMBER:
        return bits & ~0b1001 == 0
    sign, layout = _IEEE.get(size, (0, ()))
    described = (*(cursor.number(1) for _ in range(4)), cursor.number(4))
    return described == layout and bits & ~1 == 0x20 | sign << 8


def extents(cursor: Cursor, _blocks: Blocks) -> tuple[int, ...]:
    """The shape in a data space message; () for a scalar."""
    version, rank = cursor.number(1), cursor.number(1)
    if version not in (1, 2) or rank > 32:
        raise CutOffError("an HDF5 data space is broken")
    cursor.skip(6 if version == 1 else 2)
    return tuple(cursor.length() for _ in range(rank))


def attribute(cursor: Cursor, blocks: Blocks) -> tuple[str, Any]:
    """An attribute message's name and value; None for a value that is not a text or number."""
    version, flags = cursor.number(1), cursor.number(1)
    if version not in (1, 2, 3):
        raise CutOffError("an HDF5 attribute is broken")
    sizes = [cursor.number(2) for _ in range(3)]
    if version == 3:
        cursor.skip(1)
    parts = []
    for size in sizes:
        padded = -(-size // 8) * 8 if version == 1 else size
        parts.append(cursor.take(padded)[:size])
    name = _name(parts[0])
    if flags & 3:
        raise CutOffError(f"the HDF5 attribute {name[:100]!r} has a shared type, which is not supported")
    kind = datatype(Cursor(parts[1], blocks))
    shape = extents(Cursor(parts[2], blocks), blocks) if parts[2] else ()
    count = 1
    for extent in shape:
        count *= extent
    if count > _MOST_VALUES:
        return name, None
    if kind.form == _OPAQUE:
        return name, None
    values = [_value(kind, cursor, blocks) for _ in range(count)]
    return name, values[0] if not shape and values else values


def _name(data: bytes) -> str:
    """A name whose only NUL is its last byte; libhdf5 truncates others at the first NUL or the last byte."""
    if data.find(b"\0") != len(data) - 1:
        raise CutOffError("the name of an HDF5 attribute has a wrong length")
    return utf8(data[:-1])


def _value(kind: Kind, cursor: Cursor, blocks: Blocks) -> Any:
    if kind.text:
        length = cursor.number(4)
        address, index = cursor.offset(), cursor.number(4)
        return _decoded(blocks.text(address, index, length)) if length else ""
    data = cursor.take(kind.size)
    if kind.form == _TEXT:
        text, _, rest = data.partition(b"\0")
        if rest.strip(b"\0"):
            raise CutOffError("an HDF5 text continues after its end")
        return _decoded(text)
    if kind.form == _NUMBER:
        return int.from_bytes(data, "little" if kind.little else "big", signed=kind.signed)
    if kind.form == _FLOAT and kind.size in _FLOATS:
        return struct.unpack(("<" if kind.little else ">") + _FLOATS[kind.size], data)[0]
    return None


def _decoded(data: bytes) -> str:
    data = data.rstrip(b"\0")
    if b"\0" in data:  # libraries differ in whether the text ends there
        raise CutOffError("an HDF5 text continues after its end")
    return utf8(data)
