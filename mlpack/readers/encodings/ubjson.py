"""Read Universal Binary JSON of any length forward: a cursor that skips typed arrays without reading them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from mlpack.readers.encodings.documents import DEEPEST
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import CHUNK, Source

# https://ubjson.org/type-reference/: the marker of a number, and how struct (big-endian) reads it.
_NUMBERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q", b"d": ">f", b"D": ">d"}
_SIZES = {marker: struct.calcsize(form) for marker, form in _NUMBERS.items()} | {b"C": 1}
_CONSTANTS = {b"Z": None, b"T": True, b"F": False}
_LENGTHS = frozenset({b"i", b"U", b"I", b"l", b"L"})
_LONGEST_KEY = 1 << 16
_MOST_PARTS = 3_000_000  # skipped parts, which takes seconds


class UbjCursor:
    """See readers.documents.Cursor."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._buffer = b""
        self._place = 0
        self._budget: int | None = None
        self._parts = 0
        self.taken = 0

    def keys(self) -> Iterator[str]:
        """The keys of the object at the cursor; after each key the caller must read or skip its value."""
        if self._marker() != b"{":
            raise CutOffError("its UBJSON is broken: an object is missing")
        yield from self._keys()

    def value(self, most: int) -> Any:
        """The value at the cursor as a Python value; raises CutOffError when it has more than `most` bytes."""
        self._budget = most
        try:
            return self._value(self._marker(), 0)
        finally:
            self.taken += most - self._budget
            self._budget = None

    def skip(self) -> None:
        """Skip the value at the cursor."""
        self._skip(self._marker(), 0)

    def _keys(self) -> Iterator[str]:
        kind, count = self._header()
        if kind is not None:
            raise CutOffError("its UBJSON has a typed object, which no model has")
        while count is None or count > 0:
            marker = self._marker()
            if marker == b"}" and count is None:
                return
            yield self._take(self._length(marker, _LONGEST_KEY)).decode("utf-8", "replace")
            count = None if count is None else count - 1

    def _value(self, marker: bytes, depth: int) -> Any:
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker in _NUMBERS:
            return struct.unpack(_NUMBERS[marker], self._take(_SIZES[marker]))[0]
        if marker in (b"S", b"H", b"C"):
            size = 1 if marker == b"C" else self._length(self._marker())
            return self._take(size).decode("utf-8", "replace")
        if depth > DEEPEST:
            raise CutOffError("its UBJSON is nested too deeply")
        if marker == b"{":
            return {key: self._value(self._marker(), depth + 1) for key in self._keys()}
        if marker == b"[":
            return self._array(depth)
        raise CutOffError(f"its UBJSON is broken: {marker!r} begins no value")

    def _array(self, depth: int) -> list[Any]:
        kind, count = self._header()
        if kind in _NUMBERS and count is not None:
            form = _NUMBERS[kind]
            data = self._take(count * _SIZES[kind])
            return list(struct.unpack(f">{count}{form[1]}", data))
        found: list[Any] = []
        while count is None or len(found) < count:
            marker = kind or self._marker()
            if marker == b"]" and count is None:
                break
            found.append(self._value(marker, depth + 1))
        return found

    def _skip(self, marker: bytes, depth: int) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise CutOffError("its UBJSON has more parts than any model's")
        if marker in _CONSTANTS:
            return
        if marker in _SIZES:
            self._step(_SIZES[marker])
        elif marker in (b"S", b"H"):
            self._step(self._length(self._marker()))
        elif depth > DEEPEST:
            raise CutOffError("its UBJSON is nested too deeply")
        elif marker == b"{":
            for _ in self._keys():
                self._skip(self._marker(), depth + 1)
        elif marker == b"[":
            self._skip_array(depth)
        else:
            raise CutOffError(f"its UBJSON is broken: {marker!r} begins no value")

    def _skip_array(self, depth: int) -> None:
        kind, count = self._header()
        if kind in _SIZES and count is not None:
            self._step(count * _SIZES[kind])
            return
        while count is None or count > 0:
            marker = kind or self._marker()
            if marker == b"]" and count is None:
                return
            self._skip(marker, depth + 1)
            count = None if count is None else count - 1

    def _header(self) -> tuple[bytes | None, int | None]:
        """The element type and the count of a container, if declared."""
        kind = None
        if self._peek() == b"$":
            self._step(1)
            kind = self._marker()
            if self._peek() != b"#" or kind in _CONSTANTS:  # elements of zero bytes could have any count
                raise CutOffError("its UBJSON is broken: the header of a typed container is invalid")
        if self._peek() != b"#":
            return kind, None
        self._step(1)
        return kind, self._length(self._marker())

    def _length(self, marker: bytes, most: int | None = None) -> int:
        if marker not in _LENGTHS:
            raise CutOffError("its UBJSON is broken: a length is not a whole number")
        length = int(struct.unpack(_NUMBERS[marker], self._take(_SIZES[marker]))[0])
        if length < 0 or (most is not None and length > most):
            raise CutOffError("its UBJSON is broken: a length is invalid")
        return length

    def _marker(self) -> bytes:
        return self._take(1)

    def _peek(self) -> bytes:
        self._fill(1)
        return self._buffer[self._place : self._place + 1]

    def _take(self, count: int) -> bytes:
        if self._budget is not None:
            self._budget -= max(count, 1)
            if self._budget < 0:
                raise CutOffError("a value in its UBJSON is too long")
        self._fill(count)
        data = self._buffer[self._place : self._place + count]
        if len(data) < count:
            raise CutOffError("its UBJSON is cut off")
        self._place += count
        return data

    def _fill(self, count: int) -> None:
        while len(self._buffer) - self._place < count:
            data = self._source.read(CHUNK)
            if not data:
                return
            self._buffer = self._buffer[self._place :] + data
            self._place = 0

    def _step(self, count: int) -> None:
        inside = min(count, len(self._buffer) - self._place)
        self._place += inside
        if inside < count and self._source.skip(count - inside) < count - inside:
            raise CutOffError("its UBJSON is cut off")
