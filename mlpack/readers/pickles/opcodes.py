"""The opcode walk: runs a pickle's stack machine over inert values, one window of bytes at a time."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from typing import Any, NoReturn

from mlpack.readers.limits import Budget, CutOffError
from mlpack.readers.pickles.bytewindow import LOADER, ByteWindow, CraftedError, StuckError
from mlpack.readers.pickles.dtypes import DType
from mlpack.readers.pickles.record import Record
from mlpack.readers.pickles.values import Array, Blob, Global, Instance
from mlpack.readers.streams import Source

DEEPEST = 10_000  # Python's own pickler fails at about 1000
_TAIL = 4096  # bytes kept of the end of a long operand
_INLINE = b"KMJG(.\x94qh\x8crjX\x95"  # opcodes that the main loop handles (simple cases), and FRAME
_STUCK = (IndexError, KeyError, ValueError, struct.error)
_BROKEN = (TypeError, AttributeError, ArithmeticError, MemoryError, RecursionError)

Handler = Callable[["Machine"], None]
HANDLERS: list[Handler | None] = [None] * 256

_unpack_float = struct.Struct(">d").unpack_from
_unpack_size, _unpack_int = struct.Struct("<I").unpack_from, struct.Struct("<i").unpack_from


def handles(opcode: bytes) -> Callable[[Handler], Handler]:
    """Register a function for an opcode."""

    def register(handler: Handler) -> Handler:
        HANDLERS[opcode[0]] = handler
        return handler

    return register


def is_opcode(code: int) -> bool:
    """True for a byte that is a pickle opcode."""
    return HANDLERS[code] is not None or code in _INLINE


class Machine(ByteWindow):
    """The stack machine of one pickle stream; it describes calls and never makes them.

    `joblib`: arrays may follow their wrappers, as joblib writes them. `other`: a second reading of the stream, as by a loader
    without joblib, which treats an array's bytes as opcodes. Then `roots` are the top-level names of the modules that can
    exist, and `seen(text)` is true for a text from the first reading. `outer` are the frames of nested pickles (joblib's
    object arrays).
    """

    def __init__(
        self,
        source: Source,
        budget: Budget,
        *,
        joblib: bool = True,
        other: bool = False,
        roots: frozenset[str] = frozenset(),
        seen: Callable[[str], bool] = lambda _text: False,
    ) -> None:
        super().__init__(source, budget)
        self.joblib, self.other, self.roots, self.seen = joblib, other, roots, seen
        self.limits = budget.limits
        self.record = Record()
        self.known: dict[tuple[str, str], Global] = {}
        self.wrappers: list[Any] = []  # wrappers of arrays in side files (old joblib)
        self.arrays = 0
        self.models = self.limits.kept_models
        self.start()

    def start(self) -> None:
        """Reset the stack and the memo for the next pickle, as loaders do."""
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: list[Any] = []
        self.sparse: dict[int, Any] = {}
        self.inner_memos: list[Collection[Any]] = []  # memos of the nested pickles that were read completely
        self.outer: list[tuple[list[Any], list[int], list[Any], dict[int, Any], Array]] = []
        self.young: list[Instance] = []  # dtypes without their state yet, innermost last
        self.waiting: Instance | None = None  # joblib's wrapper without its state yet
        self.dtypes: dict[int, tuple[Instance, DType]] = {}  # by identity: dtypes with their state
        self.states: dict[int, Any] = {}  # by identity: dicts that are the state of an object
        self.protocol = 0
        self.array_met = False  # an array of joblib was found in this pickle
        self.continues_after_array = False  # other loaders read the first array's bytes as opcodes
        self.began = self.offset
        self.frame = None
        self.headed = self.known_protocol = False  # a header was found; its protocol exists

    def blob(self, kind: Any, size: int) -> Blob:
        """Skip a long operand and keep its first and last bytes; all bytes of a CatBoost model, whose tables come last."""
        if size > self.end - self.pos and self.ended:
            raise StuckError(f"it is cut off: it declares {size} bytes and has {self.end - self.pos}")
        head = self.take(min(size, self.limits.kept_array))
        rest = size - len(head)
        if head.startswith(b"CBM1") and size <= self.models:
            self.models -= size
            return Blob(kind=kind, size=size, head=head + self.take(rest))
        self.skip(max(rest - _TAIL, 0))
        return Blob(kind=kind, size=size, head=head, tail=self.take(min(rest, _TAIL)))

    def load(self) -> Any:
        """Walk one pickle up to its STOP and return the value it describes; raises CutOffError on invalid bytes."""
        try:
            return self._load()
        except CraftedError as crafted:
            self.record.dangerous(crafted.callable, crafted.why)
            raise CutOffError(f"{crafted.callable}: {crafted.why}") from crafted
        except _STUCK as error:
            raise StuckError(f"it is not a valid pickle at byte {self.offset} ({_reason(error)})") from error
        except _BROKEN as error:
            raise CutOffError(f"it is not a valid pickle at byte {self.offset} ({_reason(error)})") from error

    def _load(self) -> Any:  # noqa: C901, PLR0912, PLR0915  # one loop: a call per opcode would double the time
        rare = [None if code in _INLINE else handler for code, handler in enumerate(HANDLERS)]
        buf, pos, soft, stack, memo, sparse = self.buf, self.pos, self.soft, self.stack, self.memo, self.sparse
        while True:
            if pos >= soft:
                self.pos = pos
                self.next_opcode()
                buf, pos, soft = self.buf, self.pos, self.soft
            code = buf[pos]
            pos += 1
            handler = rare[code]
            if handler is not None:
                self.pos = pos
                handler(self)
                pos = self.pos
                if self.buf is not buf:
                    buf, soft = self.buf, self.soft
                if self.stack is not stack:
                    stack, memo, sparse = self.stack, self.memo, self.sparse
            elif code == 0x94 and not sparse:  # MEMOIZE
                memo.append(stack[-1])
            elif code == 0x71 and buf[pos] == len(memo) and not sparse:  # BINPUT of the next number
                memo.append(stack[-1])
                pos += 1
                self.protocol = self.protocol or 1
            elif code == 0x68 and buf[pos] < len(memo):  # BINGET
                stack.append(memo[buf[pos]])
                pos += 1
            elif code == 0x8C and pos + 1 + buf[pos] <= self.end:  # SHORT_BINUNICODE
                stop = pos + 1 + buf[pos]
                stack.append(buf[pos + 1 : stop].decode("utf-8", "surrogatepass"))
                pos = stop
            elif (
                code == 0x72 and _unpack_size(buf, pos)[0] == len(memo) and not sparse
            ):  # LONG_BINPUT of the next number
                memo.append(stack[-1])
                pos += 4
            elif code == 0x6A and _unpack_size(buf, pos)[0] < len(memo):  # LONG_BINGET
                stack.append(memo[_unpack_size(buf, pos)[0]])
                pos += 4
            elif code == 0x58 and pos + 4 + _unpack_size(buf, pos)[0] <= self.end:  # BINUNICODE
                stop = pos + 4 + _unpack_size(buf, pos)[0]
                stack.append(buf[pos + 4 : stop].decode("utf-8", "surrogatepass"))
                pos = stop
            elif code == 0x4B:  # BININT1
                stack.append(buf[pos])
                pos += 1
            elif code == 0x28:  # MARK
                self.marks.append(len(stack))
            elif code == 0x47:  # BINFLOAT
                stack.append(_unpack_float(buf, pos)[0])
                pos += 8
            elif code == 0x4D:  # BININT2
                stack.append(buf[pos] | buf[pos + 1] << 8)
                pos += 2
            elif code == 0x4A:  # BININT
                stack.append(_unpack_int(buf, pos)[0])
                pos += 4
            elif code == 0x2E:  # STOP
                self.pos = pos
                self.leave_frame("a frame continues after the pickle's end")
                if self.marks:
                    raise (StuckError if self.other else CutOffError)("it is not a valid pickle: marks are left over")
                self.end_waiting()
                if not self.outer:
                    return stack.pop()
                self._return_array(stack.pop())
                stack, memo, sparse = self.stack, self.memo, self.sparse
            else:
                handler = HANDLERS[code]
                self.pos = pos
                if handler is None:
                    self._unknown(code)
                handler(self)
                buf, pos, soft = self.buf, self.pos, self.soft

    def end_waiting(self) -> None:
        """Stop waiting for the state of a new dtype; raises CraftedError for joblib's wrapper, which must get its state."""
        if self.waiting is not None:
            raise CraftedError(
                self.waiting.class_name, "it is used before it has its state, which loaders read differently"
            )
        if self.young:
            self.young.clear()

    def enter(self, array: Array) -> None:
        """Begin a nested pickle, whose value becomes the elements of `array` (joblib's object arrays)."""
        self.outer.append((self.stack, self.marks, self.memo, self.sparse, array))
        self.stack, self.marks, self.memo, self.sparse = [], [], [], {}

    def _return_array(self, inner: Any) -> None:
        self.inner_memos += [self.memo, self.sparse.values()]
        self.stack, self.marks, self.memo, self.sparse, array = self.outer.pop()
        if not isinstance(inner, Array):
            raise CraftedError(
                "joblib.numpy_pickle.NumpyArrayWrapper", "the value in place of its array is not an array"
            )
        self.stack.append(inner if inner.objects is not None else array)

    def _unknown(self, code: int) -> NoReturn:
        raise StuckError(f"it is not a valid pickle: byte {self.offset - 1} (0x{code:02x}) is no opcode")

    # The stack ---------------------------------------------------------------------------------------

    def made_one(self, weight: int = 1) -> None:
        """Count a container, and check how deep it is nested."""
        self.made += weight
        if len(self.stack) > DEEPEST or len(self.marks) > DEEPEST:
            self.check_depth()

    def check_depth(self) -> None:
        """Raise CutOffError when containers are nested deeper than any pickler writes."""
        if len(self.marks) > DEEPEST or (not self.marks and len(self.stack) > DEEPEST):
            raise CutOffError(f"it is nested more than {DEEPEST} deep")

    def popmark(self) -> list[Any]:
        """Pop the values above the last mark."""
        start = self.marks.pop()
        stack = self.stack
        above = stack[start:]
        del stack[start:]
        return above

    def put(self, index: int) -> None:
        """Store the top of the stack in the memo."""
        memo, value = self.memo, self.stack[-1]
        if index < 0:
            raise ValueError("negative memo number")
        if (
            index > self.offset and not self.other
        ):  # each entry needs at least one byte of the stream; loaders allocate memory up to the highest index
            self.record.dangerous(LOADER, f"an object gets the memo index {index}, for which a loader allocates memory")
        if index < len(memo):
            memo[index] = value
        elif index == len(memo):
            memo.append(value)
            self.sparse.pop(index, None)
        else:
            self.sparse[index] = value

    def get(self, index: int) -> None:
        """Push a value from the memo."""
        memo = self.memo
        if 0 <= index < len(memo):
            self.stack.append(memo[index])
        elif index in self.sparse:
            self.stack.append(self.sparse[index])
        else:
            raise StuckError(f"it uses memo entry {index}, which was never stored")


def _reason(error: BaseException) -> str:
    if isinstance(error, IndexError):
        return "the stack is empty"
    return str(error)[:100] or type(error).__name__
