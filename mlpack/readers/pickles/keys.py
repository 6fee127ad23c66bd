"""Keys of dicts and elements of sets, in bounded time: a file may hold values that are costly or impossible to hash."""

from __future__ import annotations

from typing import Any

from mlpack.readers.pickles.values import Array, Blob, Global, Instance, PersistentId

_PLAIN_KEYS = (str, bytes, float, bool, type(None), Global, Instance, Array, Blob, PersistentId)
_LARGE = (1 << 61) - 1  # whole numbers from here on can be made to share one hash


class OddKey:
    """A dict key or set element that is costly or impossible to hash: equal to itself only, and holds the value."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def key_of(value: Any) -> Any:
    """A value as a dict key or set element, in bounded time: nested tuples could take exponential time to hash."""
    if isinstance(value, _PLAIN_KEYS):
        return value
    if isinstance(value, int):
        return value if -_LARGE < value < _LARGE else OddKey(value)
    if isinstance(value, tuple) and len(value) <= 64 and all(map(_flat, value)):
        return value
    return OddKey(value)


def _flat(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(value) <= 8 and all(isinstance(item, (str, int, float, type(None))) for item in value)
    return isinstance(value, (*_PLAIN_KEYS, int))
