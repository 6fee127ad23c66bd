"""Read JSON of any length forward: a cursor that skips unwanted values without parsing them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from mlpack.readers.encodings.documents import DEEPEST, MOST
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import CHUNK, Source

_BLANK = re.compile(rb"[ \t\r\n]*")
# Skipped in one step: a run of texts, or of lists and objects without texts and nested values; else one bracket.
_PART = re.compile(
    rb'((?:"[^"\\]*(?:\\.[^"\\]*)*"[^"\[\]{}]*){1,256}|(?:[\[{][^"\[\]{}]*[\]}][^"\[\]{}]*){1,256})'
    rb'|([\[{][^"\[\]{}]*)|[\]}]',
    re.DOTALL,
)
_OPENING = re.compile(rb'["\[\]{}]')
_MOST_PARTS = 4_000_000  # skipped parts, which takes seconds
_A_KEY = 10  # the cost of a key, in parts
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SCALAR = re.compile(rb"[^,\]}\s]*")


class JsonCursor:
    """See readers.documents.Cursor."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._buffer = b""
        self._place = 0
        self._ended = False
        self._parts = 0
        self._kept: list[bytes] | None = None  # chunks of a wanted value, which may span several windows
        self._from = self._left = 0
        self.taken = 0

    def keys(self) -> Iterator[str]:
        """The keys of the object at the cursor; after each key the caller must read or skip its value."""
        self._expect(b"{")
        if self._next() == b"}":
            self._place += 1
            return
        while True:
            if self._next() != b'"':
                raise CutOffError("its JSON is broken: a key is not a text")
            self._count(_A_KEY)
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
        """The value at the cursor as a Python value; raises CutOffError when it has more than `most` bytes."""
        text = self._pass(most)
        self.taken += len(text)
        return _parsed(text)

    def skip(self) -> None:
        """Skip the value at the cursor."""
        self._pass(None)

    def end(self) -> None:
        """Raise CutOffError if anything but whitespace follows."""
        if self._next(at_end=True):
            raise CutOffError("data follow the end of its JSON")

    def _next(self, *, at_end: bool = False) -> bytes:
        """The next byte that is not whitespace, without consuming it; b"" at the end, if allowed."""
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
            raise CutOffError(f"its JSON is broken: {byte.decode()} is missing")
        self._place += 1

    def _more(self) -> bool:
        """Extend the window from the current position."""
        if self._ended:
            return False
        self._keep()
        data = self._source.read(
            max(CHUNK, len(self._buffer) - self._place)
        )  # doubled, so that a long text takes linear time
        self._ended = not data
        self._buffer = self._buffer[self._place :] + data
        self._place = self._from = 0
        return bool(data)

    def _string(self) -> bytes:
        while (found := _STRING.match(self._buffer, self._place)) is None:
            if len(self._buffer) - self._place > MOST or not self._more():
                raise CutOffError("its JSON is cut off within a text")
        self._place = found.end()
        return found[0]

    def _pass(self, most: int | None) -> bytes:
        """Move past a value; returns its text, or b"" when `most` is None."""
        first = self._next()
        if first == b'"':
            return self._string()
        if first not in (b"{", b"["):
            return self._scalar()
        self._kept, self._from, self._left = None if most is None else [], self._place, most or 0
        self._place += 1
        depth = 1
        while depth:
            found = self._next_part()
            self._place = found.end()
            self._count(1)
            if found[1] is None:
                depth += 1 if found[2] else -1
                if depth > DEEPEST:
                    raise CutOffError("its JSON is nested too deeply")
        self._keep()
        text, self._kept = b"".join(self._kept or ()), None
        return text

    def _next_part(self) -> re.Match[bytes]:
        """The next bracket, or a run that is skipped in one step."""
        while (found := _PART.match(self._buffer, self._place)) is None:
            opening = _OPENING.search(self._buffer, self._place)
            if opening is not None and opening.start() > self._place:
                self._place = opening.start()
                continue
            if opening is None:
                self._place = len(self._buffer)
            if len(self._buffer) - self._place > MOST or not self._more():
                raise CutOffError("its JSON is cut off")
        return found

    def _keep(self) -> None:
        """Keep the bytes of a wanted value that were passed; raises CutOffError when they are too long."""
        if self._kept is not None:
            part = self._buffer[self._from : self._place]
            self._left -= len(part)
            if self._left < 0:
                raise CutOffError("a value in its JSON is too long")
            self._kept.append(part)

    def _count(self, parts: int) -> None:
        self._parts += parts
        if self._parts > _MOST_PARTS:
            raise CutOffError("its JSON has more parts than any model's")

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
