"""The values in a pickle as inert data: Global, Instance, Array, and the PickleFile that contains them."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

from mlpack.artifacts.model import Safety

# Callables that create an object of the class in their first argument.
_CONSTRUCTORS = frozenset({"_reconstructor", "__newobj__", "__newobj_ex__", "newObj"})

_PLAIN_FORM = re.compile(r"[<>|=][A-Za-z][0-9]{1,9}")
# The struct letter of a plain numpy dtype (kind and bytes); half floats are `e`.
_LETTERS = {
    "b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d",
}  # fmt: skip


@dataclass(frozen=True)
class Global:
    """A name that the stream looks up: `module` as written in the file, `name` possibly dotted."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    @property
    def reference(self) -> str:
        """The name in the guard's form, which separates the module from the name."""
        return f"{self.module}:{self.name}"


@dataclass(eq=False, slots=True)
class Instance:
    """An object that the stream creates by `callable(*args, **kwargs)`, with its state and items.

    `state` is BUILD's argument (a dict becomes attributes; None without BUILD); `items` were added by APPENDS, `mapping` by
    SETITEMS (pairs, because a key need not be hashable here). A memo hit is the same object, so structures may be shared or
    cyclic; keep a set of visited objects when walking them.
    """

    callable: Any  # Global, or an Instance when the callable was computed
    args: tuple[Any, ...] = ()
    kwargs: dict[Any, Any] = field(default_factory=dict)
    state: Any = None
    items: Sequence[Any] = ()  # a list when items were appended
    mapping: Sequence[tuple[Any, Any]] = ()

    def __repr__(self) -> str:
        # Shallow, because contents may be cyclic or nested deeper than the interpreter's stack.
        return f"<Instance of {self.class_name}>"

    @property
    def made_of(self) -> Global | None:
        """The class of the object, or the callable that created it; None when the callable was computed.

        For copyreg's reconstructor, __newobj__ and similar functions it is the class in their arguments.
        """
        called = self.callable
        if not isinstance(called, Global):
            return None
        if self.args and isinstance(self.args[0], Global):
            name = called.name.rpartition(".")[2]
            if name in _CONSTRUCTORS or name.startswith("__pyx_unpickle"):
                return self.args[0]
        return called

    @property
    def class_name(self) -> str:
        """The dotted name of its class or callable."""
        return str(self.made_of or "an object that the file computes")

    def attributes(self) -> dict[str, Any]:
        """The state as attributes: a dict, or the dict half of a (dict, slots) pair; empty when it is neither."""
        state = self.state
        if isinstance(state, tuple) and len(state) == 2:
            merged: dict[str, Any] = {}
            for half in state:
                if isinstance(half, dict):
                    merged.update({key: value for key, value in half.items() if isinstance(key, str)})
            return merged
        return {key: value for key, value in state.items() if isinstance(key, str)} if isinstance(state, dict) else {}


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Blob:
    """A string, bytes or number that is too long to keep: its size in bytes in the file, its first and last bytes.

    The head is usually 64 KiB; for formats that store their facts at the end it is everything.
    """

    kind: Literal["str", "bytes", "bytearray", "int"]
    size: int
    head: bytes = field(default=b"", repr=False)
    tail: bytes = field(default=b"", repr=False)  # at most 4 KiB after the head
    exact: bool = True  # False when the bytes are encoded as text in the file, which needs at least as many


@dataclass(frozen=True, eq=False, slots=True)
class PersistentId:
    """An object that is stored elsewhere: `pid` is its id in the stream (torch: a tuple that starts with `storage`)."""

    pid: Any = field(repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Array:
    """A numpy array in the stream: its dtype (numpy's `str` form such as `<f8`, `|O`, `<U5`), shape, order.

    Small arrays (at most 64 KiB of raw bytes) keep `data`, so that labels and feature names can be read; object arrays keep
    their elements in `objects` (in C order, or Fortran order when `fortran`); the data of others are skipped.
    """

    dtype: str
    shape: tuple[int, ...]
    fortran: bool = False
    data: bytes | None = field(default=None, repr=False)
    objects: tuple[Any, ...] | None = field(default=None, repr=False)
    fields: tuple[tuple[str, str], ...] = ()  # a structured dtype's (name, dtype) pairs

    def values(self) -> list[Any] | None:
        """The elements in C order as Python values; None when they were not kept, or for a dtype that is not plain."""
        flat = list(self.objects) if self.objects is not None else _unpack(self.dtype, self.data)
        if flat is None or not self.fortran or len(self.shape) < 2:
            return flat
        return _c_order(flat, self.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """One pickle of the file: its name (`""` for the stream itself, or the zip member) and its root value."""

    name: str
    root: Any = field(repr=False)  # may be nested deeper than repr can follow
    protocol: int


@dataclass(frozen=True, kw_only=True, eq=False)
class PickleFile:
    """All pickles of a file, read as data to the end or to the first error.

    `container` is one of `pickle`, `joblib`, `npy`, `npz`, `zip`; `compression` one of None, zlib, gzip, bz2, xz, lzma, lz4;
    `globals` are all names that the stream looks up, in order of first use; `numpy_major` is 1 or 2, by these names.
    `pythons` are the minor versions that may have compiled its code by value (() for an unknown version), None without code.
    `problem` says why reading stopped (then `safety.verdict` is never `safe`), "" when all was read.
    """

    container: str
    compression: str | None
    members: tuple[Member, ...]
    globals: tuple[Global, ...]
    safety: Safety
    protocol: int | None = None
    numpy_major: int | None = None
    pythons: tuple[str, ...] | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def root(self) -> Any:
        """The first pickle's value."""
        return self.members[0].root if self.members else None


def _unpack(dtype: str, data: bytes | None) -> list[Any] | None:
    if data is None or not _PLAIN_FORM.fullmatch(dtype):
        return None
    order = ">" if dtype[0] == ">" else "<"
    kind, width = dtype[1], int(dtype[2:])
    if kind == "U":
        codec, step = f"utf-32-{'be' if order == '>' else 'le'}", width * 4
        cut = _cut(data, step)
        return None if cut is None else [item.decode(codec, "replace").rstrip("\0") for item in cut]
    if kind == "S":
        cut = _cut(data, width)
        return None if cut is None else [item.rstrip(b"\0") for item in cut]
    letter = _LETTERS.get(dtype[1:])
    if letter is None or len(data) % width:
        return None
    return list(struct.unpack(f"{order}{len(data) // width}{letter}", data))


def _cut(data: bytes, step: int) -> list[bytes] | None:
    if step <= 0 or len(data) % step:
        return None
    return [data[start : start + step] for start in range(0, len(data), step)]


def _c_order(flat: list[Any], shape: tuple[int, ...]) -> list[Any]:
    # In Fortran order the first axis varies fastest: go through the C indices and compute each Fortran index.
    if prod(shape) != len(flat) or not flat:  # the shape may be wrong
        return flat
    places = [0]
    stride = 1
    for extent in shape:
        places = [place + index * stride for place in places for index in range(extent)]
        stride *= extent
    return [flat[place] for place in places]
