"""JSON of any length read forward: a cursor that steps over what is not wanted without making values of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from mlpack.readers.documents import DEEPEST, MOST
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import CHUNK, Source

_BLANK = re.compile(rb"[ \t\r\n]*")
_STRUCTURE = re.compile(rb'["\[\]{}]')
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR = re.compile(rb"[^,\]}\s]*")


class JsonCursor:
    """See readers.documents.Cursor."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._buffer = b""
        self._place = 0
        self._ended = False

    def keys(self) -> Iterator[str]:
        """The keys of the object that begins here; after each the caller takes or skips its value."""
        self._expect(b"{")
        if self._next() == b"}":
            self._place += 1
            return
        while True:
            if self._next() != b'"':
                raise CutOffError("its JSON is broken: a key is no text")
            key = _parsed(self._string())
            self._expect(b":")
            yield str(key)
            after = self._next()
            self._place += 1
            if after == b"}":
                return
            if after != b",":
                raise CutOffError("its JSON is broken: neither a comma nor a brace follows a value")

    def value(self, most: int) -> Any:
        """The value that begins here as Python's own; raises CutOffError when it takes more than `most` bytes."""
        return _parsed(self._pass(most))

    def skip(self) -> None:
        """Step over the value that begins here."""
        self._pass(None)

    def end(self) -> None:
        """Nothing but blanks may follow; raises CutOffError."""
        if self._next(at_end=True):
            raise CutOffError("its JSON goes on after its end")

    def _next(self, *, at_end: bool = False) -> bytes:
        """The next byte that is no blank, not yet taken; b"" at the end when that is allowed."""
        while True:
            blank = _BLANK.match(self._buffer, self._place)
            self._place = blank.end() if blank else self._place
            if self._place < len(self._buffer):
                return self._buffer[self._place : self._place + 1]
            if not self._more():
                if at_end:
                    return b""
                raise CutOffError("its JSON is cut off")

    def _expect(self, byte: bytes) -> None:
        if self._next() != byte:
            raise CutOffError(f"its JSON is not as it should be: no {byte.decode()} where one is expected")
        self._place += 1

    def _more(self) -> bool:
        """Let the window go on from the current place."""
        if self._ended:
            return False
        data = self._source.read(CHUNK)
        self._ended = not data
        self._buffer = self._buffer[self._place :] + data
        self._place = 0
        return bool(data)

    def _string(self) -> bytes:
        while (found := _STRING.match(self._buffer, self._place)) is None:
            if len(self._buffer) - self._place > MOST or not self._more():
                raise CutOffError("its JSON is cut off within a text")
        self._place = found.end()
        return found[0]

    def _pass(self, most: int | None) -> bytes:
        """Move over a value; its text, b"" when it need not be kept (`most` is None)."""
        first = self._next()
        if first == b'"':
            return self._string()
        if first not in (b"{", b"["):
            return self._scalar()
        kept: list[bytes] = []
        size = depth = 0
        while True:
            part, change = self._part()
            depth += change
            size += len(part)
            if most is not None:
                kept.append(part)
                if size > most:
                    raise CutOffError("a part of its JSON is longer than it should be")
            if depth == 0:
                return b"".join(kept)
            if depth > DEEPEST:
                raise CutOffError("its JSON is nested too deeply")

    def _part(self) -> tuple[bytes, int]:
        """Move up to and over the next bracket, brace or text: the bytes, and by how much the nesting changed."""
        start = self._place
        found = _STRUCTURE.search(self._buffer, start)
        if found is None:
            self._place = len(self._buffer)
            part = self._buffer[start:]
            if not self._more():
                raise CutOffError("its JSON is cut off")
            return part, 0
        if found[0] == b'"':
            self._place = found.start()
            before = self._buffer[start : self._place]
            return before + self._string(), 0
        self._place = found.end()
        return self._buffer[start : self._place], 1 if found[0] in b"[{" else -1

    def _scalar(self) -> bytes:
        while (found := _SCALAR.match(self._buffer, self._place)) is not None and found.end() == len(self._buffer):
            if len(found[0]) > CHUNK or not self._more():
                break
        text = found[0] if found else b""
        self._place += len(text)
        return text


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CutOffError("its JSON is broken") from error
