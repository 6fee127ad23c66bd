"""Documents of keys and values that are read forward, however long: Cursor, and picking a few values out of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from mlpack.readers.limits import CutOffError

MOST = 8 << 20  # bytes of a document that one wanted value may take
MOST_IN_ALL = 12 << 20  # and all of them together
DEEPEST = 64  # containers in containers

# The keys of an object that are wanted: None for the whole value, a table for an object of which again some are wanted.
Wanted = Mapping[str, "Wanted | None"]


class Cursor(Protocol):
    """A place in a document. Every call moves it on; all raise CutOffError for what is broken or ends too early.

    `taken` counts the bytes of the values that have been read.
    """

    taken: int

    def keys(self) -> Iterator[str]:
        """The keys of the object that begins here; after each the caller takes or skips its value."""

    def value(self, most: int) -> Any:
        """The value that begins here as Python's own; raises CutOffError when it takes more than `most` bytes."""

    def skip(self) -> None:
        """Step over the value that begins here."""


class Stopped(Exception):  # noqa: N818 - no failure: what comes next is not to be walked through
    """The walk met a key at which it was to stop."""


def pick(cursor: Cursor, wanted: Wanted, into: dict[str, Any], *, stop: frozenset[str] = frozenset()) -> None:
    """Put the wanted values of the object at the cursor into `into`; raises Stopped at a key of `stop`, CutOffError.

    A wanted key that comes twice is refused: readers differ in which of the two they take.
    """
    seen = set()
    for key in cursor.keys():  # noqa: SIM118 - a cursor is no dict
        if key in stop:
            raise Stopped(key)
        if key not in wanted:
            cursor.skip()
            continue
        if key in seen:
            raise CutOffError(f"it says `{key}` twice")
        seen.add(key)
        inner = wanted[key]
        if inner is None:
            into[key] = cursor.value(min(MOST, MOST_IN_ALL - cursor.taken))
        else:
            pick(cursor, inner, into.setdefault(key, {}), stop=stop)
