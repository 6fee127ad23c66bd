"""The bytes of a pickle stream, one window at a time, and its frames, which loaders read ahead."""

from __future__ import annotations

from mlpack.readers.limits import Budget, CutOffError
from mlpack.readers.streams import CHUNK, Source

# The longest operand of fixed size is 8 bytes: while this many bytes follow, an opcode needs no bounds check.
MARGIN = 16
_LINE = 1 << 16  # the longest name or number written as a line


LOADER = "pickle.load"  # the finding's callable when the file misleads the loader itself


class StuckError(CutOffError):
    """No loader can read past this offset: an invalid opcode, or missing operands."""


class CraftedError(CutOffError):
    """Bytes that no pickler writes and that loaders may read differently; `callable` and `why` are for the finding."""

    def __init__(self, callable_: str, why: str) -> None:
        super().__init__(f"{callable_}: {why}")
        self.callable, self.why = callable_, why


class ByteWindow:
    """A source read forward through a window in memory; positions are counted from the start of the stream.

    A frame (protocol 4 and up) is a number of bytes that a loader may read ahead. Python's unpickler refuses an opcode that
    crosses the end of a frame, and joblib reads an array's bytes from after the frame, so a frame must end with an opcode,
    and must be complete before an array's bytes and at STOP.
    """

    def __init__(self, source: Source, budget: Budget) -> None:
        self.source, self.budget = source, budget
        self.buf, self.pos, self.end = b"", 0, 0
        self.soft = 0  # opcodes before this position need no check; never after the frame's end
        self.base = 0  # start of the window
        self.frame: int | None = None  # end of the frame
        self.ended = False
        self.made = 0  # containers and instances since the last budget check

    @property
    def offset(self) -> int:
        """The position of the walk in the stream, in bytes."""
        return self.base + self.pos

    def at_end(self) -> bool:
        """True at the end of the stream."""
        if self.pos >= self.end and not self.ended:
            self.fill(1)
        return self.pos >= self.end

    def next_opcode(self) -> None:
        """Move the window or end the frame so that the next opcode is readable; raises StuckError at the end of the stream."""
        if self.frame is not None and self.offset >= self.frame:
            self.leave_frame("an opcode crosses the end of a frame")
        if self.pos > self.end - MARGIN and not self.ended:
            self.fill(MARGIN)
        self._soften()
        if self.pos >= self.end:
            raise StuckError("it is cut off: the end comes before the last opcode")

    def enter_frame(self, size: int) -> None:
        """Begin a frame of `size` bytes; raises CraftedError when the previous one is not complete."""
        if self.frame is not None and self.offset != self.frame + 9:
            raise CraftedError(LOADER, "a frame begins inside another one, so that loaders read different bytes")
        self.frame = self.offset + size
        self._soften()

    def leave_frame(self, why: str) -> None:
        """End the frame here; raises CraftedError when it is not complete."""
        frame, self.frame = self.frame, None
        if frame is not None and frame != self.offset:
            raise CraftedError(LOADER, f"{why}, so that loaders read different bytes")
        self._soften()

    def _soften(self) -> None:
        soft = self.end if self.ended else self.end - MARGIN
        if self.frame is not None:
            soft = min(soft, self.frame - self.base)
        self.soft = max(soft, 0)

    def fill(self, need: int) -> None:
        """Move the window so that it contains `need` bytes, fewer only at the end."""
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
        """Read the next `count` bytes; raises StuckError when there are fewer."""
        stop = self.pos + count
        if stop > self.end:
            self.fill(count)
            stop = count
            if count > self.end:
                raise StuckError(f"it is cut off: it declares {count} bytes and has {self.end}")
        data = self.buf[self.pos : stop]
        self.pos = stop
        return data

    def skip(self, count: int) -> None:
        """Skip `count` bytes; raises StuckError when there are fewer."""
        inside = min(count, self.end - self.pos)
        self.pos += inside
        if inside < count:
            rest = count - inside
            self.base += self.pos
            self.buf, self.pos, self.end, self.soft = b"", 0, 0, 0
            there = 0 if self.ended else self.source.skip(rest)
            self.base += there
            if there < rest:
                raise StuckError(f"it is cut off: it declares {count} bytes and has {inside + there}")

    def line(self, longest: int = _LINE) -> bytes:
        """The bytes up to the next newline, which is skipped."""
        stop = self.buf.find(b"\n", self.pos, self.end)
        while stop < 0:
            had = self.end - self.pos
            if self.ended or had > longest:
                raise StuckError("it is cut off within a line" if self.ended else "a line has no end")
            # doubled each time, so that a long line takes linear time
            self.fill(had + max(CHUNK, had))
            stop = self.buf.find(b"\n", had, self.end)
        data = self.buf[self.pos : stop]
        self.pos = stop + 1
        return data
