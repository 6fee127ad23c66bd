"""Read protocol buffers without a schema: the fields of a message in order, with bounded steps."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from mlpack.readers.limits import MIB, CutOffError
from mlpack.readers.streams import Source

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types; no model format uses groups (3 and 4)

_DEPTH = 100  # the limit of the protobuf libraries
_MOST_FIELDS = 2_000_000
_MOST_KEPT = 256 * MIB
_WINDOW = 1 << 14
_LONGEST_RUN = 64  # bytes of a short text in a run


class Field(NamedTuple):  # created by the million; a frozen dataclass would be slow
    """A field of a message: its number, its wire type, and its value (for bytes: their length).

    The bytes of a field can be read until the next field is requested; unread bytes are skipped.
    """

    number: int
    wire: int
    value: int
    walk: _Walk
    depth: int
    end: int
    limit: int | None  # the end of its message

    def read(self, limit: int = 16 * MIB) -> bytes:
        """The field's bytes; raises CutOffError when there are more than `limit` or too few."""
        if self.wire != BYTES:
            return b""
        if self.value > limit:
            raise CutOffError(f"field {self.number} has {self.value} bytes, more than the limit")
        return self.walk.take(self.end)

    def text(self, limit: int = MIB) -> str:
        """The field's bytes as UTF-8 text."""
        return self.read(limit).decode("utf-8", "replace")

    def fields(self) -> Iterator[Field]:
        """The fields of the message in this field, read lazily."""
        if self.wire != BYTES:
            return iter(())
        if self.depth >= _DEPTH:
            raise CutOffError(f"its messages are nested deeper than {_DEPTH}")
        return self.walk.fields(self.end, self.depth + 1)

    def skip_run(self) -> None:
        """Skip this field and the following fields of the same number and type, as far as they are short.

        Lists of numbers may be millions of fields; this skips them with a regular expression.
        """
        self.walk.skip_run(self)

    @property
    def signed(self) -> int:
        """The value of an int32, int64 or enum field; negative numbers are encoded in 64 bits."""
        return signed(self.value)

    @property
    def float32(self) -> float:
        """The value of a `float` field."""
        return float(struct.unpack("<f", struct.pack("<I", self.value & 0xFFFFFFFF))[0])


def fields(source: Source | bytes) -> Iterator[Field]:
    """The fields of the message in a source (or bytes).

    Iterating, and a field's `read` and `fields`, raise CutOffError for a broken, truncated, too deeply nested or too finely
    split message. Fields must be used in order.
    """
    walk = _Walk(_BytesSource(source) if isinstance(source, bytes) else source)
    return walk.fields(None, 0)


def signed(value: int) -> int:
    """Convert a 64-bit varint to a signed number."""
    return value - (1 << 64) if value >= 1 << 63 else value


def varints(data: bytes) -> list[int]:
    """The numbers of a packed repeated field; raises CutOffError for an invalid or truncated one."""
    found: list[int] = []
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if value >= 1 << 64:
                raise CutOffError("a number in it is too large")
            found.append(value)
            value = shift = 0
        elif shift > 63:
            raise CutOffError("a number in it has no end")
    if shift:
        raise CutOffError("a number in it is cut off")
    return found


class _BytesSource:
    """Bytes in memory as a source."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def read(self, count: int) -> bytes:
        data = self._data[self._place : self._place + max(0, count)]
        self._place += len(data)
        return data

    def skip(self, count: int) -> int:
        step = min(count, len(self._data) - self._place)
        self._place += step
        return step


class _Walk:
    """The shared reading position of all fields of a message, with a window of the next bytes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._window, self._next = b"", 0
        self._place = 0  # offset of the byte at `_next` in the source
        self._fields = 0
        self._kept = 0

    def fields(self, end: int | None, depth: int) -> Iterator[Field]:
        """The fields up to `end` (None: the end of the source)."""
        while end is None or self._place < end:
            if end is None and not self._more():
                return
            self._fields += 1
            if self._fields > _MOST_FIELDS:
                raise CutOffError(f"it has more than {_MOST_FIELDS:,} fields")
            tag = self._varint()
            field = self._field(tag >> 3, tag & 7, depth, end)
            if end is not None and field.end > end:
                raise CutOffError("a field in it is longer than the message that holds it")
            yield field
            self._skip_to(field.end)

    def take(self, end: int) -> bytes:
        """The bytes up to `end`."""
        wanted = end - self._place
        self._kept += wanted
        if self._kept > _MOST_KEPT:
            raise CutOffError("its texts and numbers are larger than any model's")
        parts = []
        while wanted > 0 and self._more():
            part = self._window[self._next : self._next + wanted]
            self._next += len(part)
            self._place += len(part)
            wanted -= len(part)
            parts.append(part)
        if wanted > 0:
            raise CutOffError("it is cut off")
        return b"".join(parts)

    def skip_run(self, first: Field) -> None:
        """Skip a field and the similar fields that directly follow it."""
        self._skip_to(first.end)
        tag = first.number << 3 | first.wire
        if tag >= 0x80:
            return
        start = re.escape(bytes([tag]))
        one = {
            VARINT: rb"[\x80-\xff]{0,9}[\x00-\x7f]",
            FIXED32: rb"[\x00-\xff]{4}",
            FIXED64: rb"[\x00-\xff]{8}",
        }.get(first.wire) or rb"(?:" + b"|".join(
            re.escape(bytes([size])) + rb"[\x00-\xff]{%d}" % size for size in range(_LONGEST_RUN)
        ) + rb")"  # fmt: skip
        pattern = re.compile(rb"(?:" + start + one + rb")+")
        while self._more():
            if len(self._window) - self._next < 2 * _LONGEST_RUN:  # a field may continue after the window
                self._window, self._next = self._window[self._next :] + self._source.read(_WINDOW), 0
            end = len(self._window) if first.limit is None else self._next + first.limit - self._place
            found = pattern.match(self._window, self._next, end)
            if found is None:
                return
            self._place += found.end() - self._next
            self._next = found.end()

    def _field(self, number: int, wire: int, depth: int, limit: int | None) -> Field:
        if number == 0 or number >= 1 << 29:
            raise CutOffError(
                "it is broken (a field without a number)" if number == 0 else "it is broken (a field's number)"
            )
        value, size = 0, 0
        if wire == VARINT:
            value = self._varint()
        elif wire == BYTES:
            value = size = self._varint()
        elif wire in (FIXED32, FIXED64):
            value = int.from_bytes(self.take(self._place + (4 if wire == FIXED32 else 8)), "little")
        else:
            raise CutOffError(f"it is broken (a field of the unknown wire type {wire})")
        return Field(number, wire, value, self, depth, self._place + size, limit)

    def _more(self) -> bool:
        if self._next < len(self._window):
            return True
        self._window, self._next = self._source.read(_WINDOW), 0
        return bool(self._window)

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            if not self._more():
                raise CutOffError("it is cut off")
            byte = self._window[self._next]
            self._next += 1
            self._place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >= 1 << 64:
                    raise CutOffError("it is broken (a number that is too large)")
                return value
        raise CutOffError("it is broken (a number without an end)")

    def _skip_to(self, end: int) -> None:
        count = end - self._place
        if count <= 0:
            return
        inside = min(count, len(self._window) - self._next)
        self._next += inside
        self._place += count
        if count > inside and self._source.skip(count - inside) < count - inside:
            raise CutOffError("it is cut off")
