"""Cursor: read long documents of keys and values forward, and pick a few values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from mlpack.readers.limits import CutOffError

MOST = 8 << 20  # bytes of one wanted value
MOST_IN_ALL = 12 << 20  # bytes of all wanted values
DEEPEST = 64  # containers in containers

# The wanted keys of an object: None for the whole value, a table for some keys of an inner object.
Wanted = Mapping[str, "Wanted | None"]


class Cursor(Protocol):
    """A position in a document. Every call moves it; all raise CutOffError for a broken or truncated document.

    `taken` counts the bytes of the values that have been read.
    """

    taken: int

    def keys(self) -> Iterator[str]:
        """The keys of the object at the cursor; after each key the caller must read or skip its value."""

    def value(self, most: int) -> Any:
        """The value at the cursor as a Python value; raises CutOffError when it has more than `most` bytes."""

    def skip(self) -> None:
        """Skip the value at the cursor."""


class Stopped(Exception):  # noqa: N818 - not an error: it ends the reading early
    """A key at which reading should stop was found."""


def pick(cursor: Cursor, wanted: Wanted, into: dict[str, Any], *, stop: frozenset[str] = frozenset()) -> None:
    """Put the wanted values of the object at the cursor into `into`; raises Stopped at a key of `stop`, CutOffError.

    A duplicate of a wanted key raises CutOffError, because readers differ in which of the two they use.
    """
    seen = set()
    for key in cursor.keys():  # noqa: SIM118 - a cursor is not a dict
        if key in stop:
            raise Stopped(key)
        if key not in wanted:
            cursor.skip()
            continue
        if key in seen:
            raise CutOffError(f"it contains `{key}` twice")
        seen.add(key)
        inner = wanted[key]
        if inner is None:
            into[key] = cursor.value(min(MOST, MOST_IN_ALL - cursor.taken))
        else:
            pick(cursor, inner, into.setdefault(key, {}), stop=stop)
