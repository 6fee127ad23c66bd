"""Read compiled Python functions (`marshal` data) without running or creating them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.bytecode import compilers

MOST_BYTES = 64 * 1024  # of one function; those in models have a few hundred
_DEEPEST = 50
_LONGEST = 900  # of a whole number, in 15-bit digits
_REFERENCE = 0x80  # a flag in an object's type: later objects may refer to it
_CONSTANTS = {
    ord("N"): None, ord("T"): True, ord("F"): False, ord("."): ..., ord("S"): "StopIteration",
}  # fmt: skip
_OPEN = object()  # placeholder of an object that is still being read


@dataclass(frozen=True, kw_only=True)
class Code:
    """One compiled function: `names` of globals, attributes and imports, its `variables`, constants (which may be Code)."""

    name: str
    names: tuple[str, ...]
    variables: tuple[str, ...]
    constants: tuple[Any, ...]
    pythons: frozenset[str]

    def walk(self) -> Iterator[Any]:
        """This function, its inner functions, and the constants of all of them, each object once."""
        waiting: list[Any] = [self]
        seen: set[int] = set()
        while waiting:
            value = waiting.pop()
            if isinstance(value, Code | tuple):
                if id(value) in seen:
                    continue
                seen.add(id(value))
                waiting.extend(reversed(value.constants if isinstance(value, Code) else value))
            if not isinstance(value, tuple):
                yield value


def read_code(data: bytes) -> Code:
    """The function in `data`, of any Python 3. Raises CutOffError for broken or ambiguous data."""
    if len(data) > MOST_BYTES:
        raise CutOffError(f"a function of {len(data)} bytes is too long to be read")
    read = [_tried(data, layout) for layout in (_since_311, _since_38, _since_30)]
    found = [one for one in read if isinstance(one, Code)]
    if len(found) > 1:
        raise CutOffError("its code can be read in two ways")
    if not found:
        raise next(one for one in read if isinstance(one, CutOffError))
    return found[0]


def _tried(data: bytes, layout: Callable[[_Reader], Code]) -> Code | CutOffError:
    try:
        return _Reader(data, layout).whole()
    except CutOffError as error:
        return error


class _Reader:
    """One pass over marshalled bytes; `layout` reads the fields of a code object in the form of some Python releases."""

    def __init__(self, data: bytes, layout: Callable[[_Reader], Code]) -> None:
        self._data = data
        self._at = 0
        self._seen: list[Any] = []
        self._depth = 0
        self._layout = layout

    def whole(self) -> Code:
        found = self.value()
        if self._at != len(self._data):
            raise CutOffError("bytes follow its code")
        if not isinstance(found, Code):
            raise CutOffError("it is not a code object")
        return found

    def value(self) -> Any:
        kind = self.take(1)[0]
        place = -1
        if kind & _REFERENCE:
            kind &= ~_REFERENCE
            place = len(self._seen)
            self._seen.append(_OPEN)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise CutOffError(f"its code is nested deeper than {_DEEPEST}")
        found = self._of(kind)
        self._depth -= 1
        if place >= 0:
            self._seen[place] = found
        return found

    def _of(self, kind: int) -> Any:
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        read = _READERS.get(chr(kind))
        if read is None:
            raise CutOffError("its code contains an object of an unknown type")
        return read(self)

    def number(self) -> int:
        return int(struct.unpack("<i", self.take(4))[0])

    def size(self) -> int:
        size = self.number()
        if not 0 <= size <= len(self._data):
            raise CutOffError("its code is cut off")
        return size

    def byte(self) -> int:
        return self.take(1)[0]

    def long(self) -> int:
        digits = self.number()
        if abs(digits) > _LONGEST:
            raise CutOffError("its code contains a number that is too long")
        found = 0
        for place, digit in enumerate(struct.unpack(f"<{abs(digits)}H", self.take(2 * abs(digits)))):
            found |= digit << (15 * place)
        return -found if digits < 0 else found

    def double(self) -> float:
        return float(struct.unpack("<d", self.take(8))[0])

    def text(self, size: int) -> str:
        try:
            return self.take(size).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise CutOffError("a text in its code is not UTF-8") from error

    def ascii(self, size: int) -> str:
        return self.take(size).decode("latin-1")

    def values(self, count: int) -> tuple[Any, ...]:
        return tuple(self.value() for _ in range(count))

    def reference(self) -> Any:
        place = self.number()
        if not 0 <= place < len(self._seen) or self._seen[place] is _OPEN:
            raise CutOffError("its code refers to an object that does not exist")
        return self._seen[place]

    def code(self) -> Code:
        return self._layout(self)

    def names(self) -> tuple[str, ...]:
        found = self.value()
        if not isinstance(found, tuple) or not all(isinstance(one, str) for one in found):
            raise CutOffError("the names of its code are not texts")
        return found

    def of(self, kind: type) -> Any:
        found = self.value()
        if not isinstance(found, kind):
            raise CutOffError("a part of its code has a wrong type")
        return found

    def take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise CutOffError("its code is cut off")
        found = self._data[self._at : end]
        self._at = end
        return found


_READERS: dict[str, Callable[[_Reader], Any]] = {
    "i": _Reader.number,
    "l": _Reader.long,
    "g": _Reader.double,
    "y": lambda one: complex(one.double(), one.double()),
    "s": lambda one: one.take(one.size()),
    "u": lambda one: one.text(one.size()),
    "t": lambda one: one.text(one.size()),  # an interned text
    "a": lambda one: one.ascii(one.size()),
    "A": lambda one: one.ascii(one.size()),
    "z": lambda one: one.ascii(one.byte()),
    "Z": lambda one: one.ascii(one.byte()),
    "(": lambda one: one.values(one.size()),
    ")": lambda one: one.values(one.byte()),
    "<": lambda one: one.values(one.size()),
    ">": lambda one: one.values(one.size()),
    ":": lambda one: one.values(3),  # a slice
    "r": _Reader.reference,
    "c": _Reader.code,
}


def _since_311(one: _Reader) -> Code:
    counts = [one.number() for _ in range(5)]
    code, constants, names, local = one.of(bytes), one.of(tuple), one.names(), one.names()
    kinds, _file, name, full = one.of(bytes), one.of(str), one.of(str), one.of(str)
    line, lines, exceptions = one.number(), one.of(bytes), one.of(bytes)
    if len(kinds) != len(local):
        raise CutOffError("its code has contradictory names of variables")
    arguments = (*counts, 0, code, constants, names, local, "", name, full, line, lines, exceptions, (), ())
    return _made(arguments, name, names, local, constants)


def _since_38(one: _Reader) -> Code:
    return _before_311(one, [one.number() for _ in range(6)])


def _since_30(one: _Reader) -> Code:
    return _before_311(one, [one.number() for _ in range(5)])


def _before_311(one: _Reader, counts: list[int]) -> Code:
    code, constants, names, local = one.of(bytes), one.of(tuple), one.names(), one.names()
    free, cells, _file, name = one.names(), one.names(), one.of(str), one.of(str)
    line, lines = one.number(), one.of(bytes)
    arguments = (*counts, code, constants, names, local, "", name, line, lines, free, cells)
    return _made(arguments, name, names, (*local, *free, *cells), constants)


def _made(
    arguments: tuple[Any, ...],
    name: str,
    names: tuple[str, ...],
    variables: tuple[str, ...],
    constants: tuple[Any, ...],
) -> Code:
    pythons = compilers(arguments) or frozenset()
    return Code(name=name, names=names, variables=variables, constants=constants, pythons=pythons)
