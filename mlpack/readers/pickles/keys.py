"""Keys of dicts and elements of sets in bounded time: values in a file may be costly or impossible to hash."""

from __future__ import annotations

from typing import Any

from mlpack.readers.pickles.values import Array, Blob, Global, Instance, PersistentId

_PLAIN_KEYS = (str, bytes, float, bool, type(None), Global, Instance, Array, Blob, PersistentId)
_LARGE = (1 << 61) - 1  # larger whole numbers can be chosen to have the same hash


class OddKey:
    """A wrapper for a key or element that is costly or impossible to hash; equal only to itself."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


def key_of(value: Any) -> Any:
    """A value as a dict key or set element; hashing nested tuples could take exponential time."""
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
