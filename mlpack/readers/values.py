"""What a pickle would build, as inert data: Global, Instance, Array, and the PickleFile that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts.model import Safety


@dataclass(frozen=True)
class Global:
    """A name that the stream looks up: `module` as written in the file, `name` possibly dotted."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Instance:
    """An object that the stream would make by calling `callable(*args, **kwargs)`, with what was then put in it.

    `state` is BUILD's argument (a dict becomes attributes; None when there was no BUILD); `items` what APPENDS added;
    `mapping` what SETITEMS added (pairs, as a key need not be hashable here). Identity is kept: a memo hit is the same object,
    so structures may be shared or cyclic; walk them with a seen-set.
    """

    callable: Any  # Global, or an Instance when the callable was itself computed
    args: tuple[Any, ...] = ()
    kwargs: dict[Any, Any] = field(default_factory=dict)
    state: Any = None
    items: list[Any] = field(default_factory=list)
    mapping: list[tuple[Any, Any]] = field(default_factory=list)

    @property
    def class_name(self) -> str:
        """The dotted name of the class that it is an instance of (see through copyreg's reconstructor and __newobj__)."""
        return str(self.callable)

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Array:
    """A numpy array in the stream: its dtype (numpy's `str` form such as `<f8`, `|O`, `<U5`), shape, order.

    Small ones (at most 64 KiB of raw bytes) keep `data`, so labels and feature names can be read; object arrays keep their
    elements in `objects`; of the rest only the place is known.
    """

    dtype: str
    shape: tuple[int, ...]
    fortran: bool = False
    data: bytes | None = None
    objects: tuple[Any, ...] | None = None
    fields: tuple[tuple[str, str], ...] = ()  # a structured dtype's (name, dtype) pairs

    def values(self) -> list[Any] | None:
        """The elements in C order as Python values, None when they were not kept (or the dtype is not a plain one)."""
        raise NotImplementedError  # filled in by the reader's author


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """One pickle of the file: where it was (`""` for the stream itself, a member's name in a zip), and its root value."""

    name: str
    root: Any
    protocol: int


@dataclass(frozen=True, kw_only=True, eq=False)
class PickleFile:
    """All pickles of a file, read as data to the end or to where reading stopped.

    `container` is one of `pickle`, `joblib`, `npy`, `npz`, `zip`; `compression` one of None, zlib, gzip, bz2, xz, lzma, lz4;
    `globals` every name the stream looks up, in order of first use; `numpy_major` 1 or 2 as the names tell.
    `problem` says why reading stopped (then `safety.verdict` is never `safe`), "" when all was read.
    """

    container: str
    compression: str | None
    members: tuple[Member, ...]
    globals: tuple[Global, ...]
    safety: Safety
    protocol: int | None = None
    numpy_major: int | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def root(self) -> Any:
        """The first pickle's value."""
        return self.members[0].root if self.members else None
