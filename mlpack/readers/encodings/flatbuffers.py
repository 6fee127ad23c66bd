"""Read FlatBuffers: tables, their fields by number, vectors and texts, by random access and with bounded steps."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack.readers.limits import KIB, CutOffError

_PAGE = 64 * KIB
_MOST_PAGES = 256
_MOST_READS = 4_000_000


class Bytes:
    """A buffer's bytes by offset, from memory or from a file that is never read as a whole."""

    def __init__(self, size: int, *, descriptor: int = -1, data: bytes = b"") -> None:
        self.size = size
        self._descriptor, self._data = descriptor, data
        self._pages: dict[int, bytes] = {}
        self._reads = 0

    def take(self, place: int, count: int) -> bytes:
        """`count` bytes at offset `place`; raises CutOffError outside the buffer, and when too much is read."""
        self._reads += 1
        if self._reads > _MOST_READS:
            raise CutOffError("its tables refer to each other too often")
        if place < 0 or count < 0 or place + count > self.size:
            raise CutOffError("it is cut off, or refers to offsets outside it")
        if self._descriptor < 0:
            return self._data[place : place + count]
        number, start = divmod(place, _PAGE)
        if start + count > _PAGE:
            return os.pread(self._descriptor, count, place)
        if number not in self._pages:
            if len(self._pages) >= _MOST_PAGES:
                self._pages.clear()
            self._pages[number] = os.pread(self._descriptor, _PAGE, number * _PAGE)
        return self._pages[number][start : start + count]

    def number(self, layout: str, place: int) -> Any:
        """One number; `layout` is its `struct` format character."""
        return struct.unpack("<" + layout, self.take(place, struct.calcsize(layout)))[0]


@contextmanager
def opened(path: Path) -> Iterator[Bytes]:
    """The file's bytes by offset. Raises OSError."""
    with path.open("rb") as file:
        yield Bytes(os.fstat(file.fileno()).st_size, descriptor=file.fileno())


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; fields are read by their number in the schema, and may be absent.

    Every method raises CutOffError for a field outside the buffer or longer than its limit.
    """

    data: Bytes
    place: int

    def scalar(self, field: int, layout: str, default: int = 0) -> int:
        """A number; `layout` is its `struct` format character."""
        where = self._field(field)
        return default if where is None else int(self.data.number(layout, where))

    def table(self, field: int) -> Table | None:
        """The table that a field refers to; None when absent."""
        where = self._field(field)
        return None if where is None else Table(data=self.data, place=where + self.data.number("I", where))

    def text(self, field: int, limit: int = 4 * KIB) -> str:
        """A text; "" when it is absent."""
        start, count = self._vector(field, 1, limit)
        return self.data.take(start, count).decode("utf-8", "replace")

    def numbers(self, field: int, layout: str, limit: int = 4 * KIB) -> tuple[Any, ...]:
        """A vector of numbers."""
        size = struct.calcsize(layout)
        start, count = self._vector(field, size, limit)
        return struct.unpack(f"<{count}{layout}", self.data.take(start, count * size))

    def tables(self, field: int, limit: int = 200_000) -> Iterator[Table]:
        """A vector of tables."""
        start, count = self._vector(field, 4, limit)
        for place in range(start, start + 4 * count, 4):
            yield Table(data=self.data, place=place + self.data.number("I", place))

    def count(self, field: int) -> int:
        """The length of a vector."""
        return self._vector(field, 1, self.data.size)[1]

    def has(self, field: int) -> bool:
        """Whether the table has a value for a field."""
        return self._field(field) is not None

    def _vector(self, field: int, size: int, limit: int) -> tuple[int, int]:
        where = self._field(field)
        if where is None:
            return 0, 0
        start = where + self.data.number("I", where)
        count = self.data.number("I", start)
        if count > limit:
            raise CutOffError(f"a list in it has {count:,} elements, more than the limit")
        if start + 4 + count * size > self.data.size:
            raise CutOffError("it is cut off, or refers to offsets outside it")
        return start + 4, count

    def _field(self, number: int) -> int | None:
        names = self.place - self.data.number("i", self.place)
        if 4 + 2 * number + 2 > self.data.number("H", names):
            return None
        offset = self.data.number("H", names + 4 + 2 * number)
        return self.place + offset if offset else None


def root(data: Bytes) -> Table:
    """The root table of a buffer."""
    return Table(data=data, place=data.number("I", 0))
