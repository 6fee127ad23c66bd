"""The bytes of a pickle stream, one window at a time, and its frames: where a loader has read ahead to."""

from __future__ import annotations

from mlpack.readers.limits import Budget, CutOffError
from mlpack.readers.streams import CHUNK, Source

# The longest operand of fixed size is 8 bytes: while this many bytes follow, an opcode needs no check of its own.
MARGIN = 16
_LINE = 1 << 16  # the longest name or number written as a line


LOADER = "pickle.load"  # what is misled where no callable of the file is at fault


class StuckError(CutOffError):
    """No loader reads past this place: what is there is no opcode, or its operands are missing."""


class TrickError(CutOffError):
    """What no pickler writes, and what loaders may read differently: `callable` and `why` are the finding's."""

    def __init__(self, callable_: str, why: str) -> None:
        super().__init__(f"{callable_}: {why}")
        self.callable, self.why = callable_, why


class ByteWindow:
    """A source read forward, a part of it in memory; positions are counted from the first byte of the stream.

    A frame (protocol 4 and up) is a number of bytes that a loader may read at once. Python's unpickler refuses an opcode
    that lies in two frames, and joblib reads an array's bytes from behind the frame, so a frame has to end where an opcode
    ends, and before an array's bytes and after STOP there must be nothing left of it.
    """

    def __init__(self, source: Source, budget: Budget) -> None:
        self.source, self.budget = source, budget
        self.buf, self.pos, self.end = b"", 0, 0
        self.soft = 0  # opcodes before this place need no check; never behind the frame's end
        self.base = 0  # where the window starts
        self.frame: int | None = None  # where the frame ends
        self.ended = False
        self.made = 0  # containers and instances since the budget was last asked

    @property
    def offset(self) -> int:
        """How far the walk is, in bytes from the first."""
        return self.base + self.pos

    def at_end(self) -> bool:
        """True when no byte is left."""
        if self.pos >= self.end and not self.ended:
            self.fill(1)
        return self.pos >= self.end

    def next_opcode(self) -> None:
        """Make the next opcode readable where the window or the frame ends; raises StuckError where the stream ends."""
        if self.frame is not None and self.offset >= self.frame:
            self.leave_frame("an opcode lies in two frames")
        if self.pos > self.end - MARGIN and not self.ended:
            self.fill(MARGIN)
        self._soften()
        if self.pos >= self.end:
            raise StuckError("it is cut off: the end comes before the last opcode")

    def enter_frame(self, size: int) -> None:
        """Begin a frame of so many bytes; raises TrickError when the last one is not at its end."""
        if self.frame is not None and self.offset != self.frame + 9:
            raise TrickError(LOADER, "a frame begins inside another one, so that loaders read different bytes")
        self.frame = self.offset + size
        self._soften()

    def leave_frame(self, why: str) -> None:
        """End the frame here; raises TrickError when its end is elsewhere."""
        frame, self.frame = self.frame, None
        if frame is not None and frame != self.offset:
            raise TrickError(LOADER, f"{why}, so that loaders read different bytes")
        self._soften()

    def _soften(self) -> None:
        soft = self.end if self.ended else self.end - MARGIN
        if self.frame is not None:
            soft = min(soft, self.frame - self.base)
        self.soft = max(soft, 0)

    def fill(self, need: int) -> None:
        """Move the window on so that `need` bytes lie in it, fewer only at the end."""
        tail = self.buf[self.pos : self.end]
        self.base += self.pos
        if self.pos > self.end:
            raise StuckError("it is cut off")
        parts, have = [tail], len(tail)
        while have < need and not self.ended:
            data = self.source.read(max(CHUNK, min(need - have, 1 << 20)))
            self.ended = not data
            have += len(data)
            self.budget.spend_walk(len(data), self.made)
            self.made = 0
            parts.append(data)
        self.pos, self.end = 0, have
        self.buf = b"".join(parts) + bytes(MARGIN) if self.ended else b"".join(parts)
        self._soften()

    def take(self, count: int) -> bytes:
        """The next `count` bytes; raises StuckError when there are fewer."""
        stop = self.pos + count
        if stop > self.end:
            self.fill(count)
            stop = count
            if count > self.end:
                raise StuckError(f"it is cut off: {count} bytes were promised and {self.end} are there")
        data = self.buf[self.pos : stop]
        self.pos = stop
        return data

    def skip(self, count: int) -> None:
        """Step over `count` bytes; raises StuckError when there are fewer."""
        inside = min(count, self.end - self.pos)
        self.pos += inside
        if inside < count:
            rest = count - inside
            self.base += self.pos
            self.buf, self.pos, self.end, self.soft = b"", 0, 0, 0
            there = 0 if self.ended else self.source.skip(rest)
            self.base += there
            if there < rest:
                raise StuckError(f"it is cut off: {count} bytes were promised and {inside + there} are there")

    def line(self, longest: int = _LINE) -> bytes:
        """The bytes up to the next newline, which is stepped over."""
        stop = self.buf.find(b"\n", self.pos, self.end)
        while stop < 0:
            had = self.end - self.pos
            if self.ended or had > longest:
                raise StuckError("it is cut off within a line" if self.ended else "a line has no end")
            # twice as far each time, so that a long line costs no more than its length
            self.fill(had + max(CHUNK, had))
            stop = self.buf.find(b"\n", had, self.end)
        data = self.buf[self.pos : stop]
        self.pos = stop + 1
        return data
