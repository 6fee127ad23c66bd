"""List the content of a pickle's value for display and for `--entry`: dictionaries, lists and tuples by key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from mlpack.artifacts.model import Content
from mlpack.readers.pickles.values import Array, Global, Instance

_MOST = 200  # listed entries; a vocabulary may have many thousands
_DEPTH = 3
_DICTS = ("collections.OrderedDict", "collections.defaultdict", "sklearn.utils.Bunch", "sklearn.utils._bunch.Bunch")


def pairs(value: Any, most: int | None = None) -> list[tuple[str, Any]] | None:
    """The (key, value) pairs of a container, keys as text (a list's are 0, 1, ...); None when it is no container.

    `most` bounds their number: a container may have millions.
    """
    if isinstance(value, dict):
        found: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list | tuple):
        found = enumerate(value)
    elif isinstance(value, Instance) and value.class_name in _DICTS:
        found = value.mapping
    else:
        return None
    return [(str(key), item) for key, item in islice(found, most)]


def count(value: Any) -> int:
    """The number of pairs of a container; 0 when it is no container."""
    if isinstance(value, dict | list | tuple):
        return len(value)
    return len(value.mapping) if isinstance(value, Instance) and value.class_name in _DICTS else 0


def entries(root: Any) -> dict[str, Any]:
    """The values in a container by key, and those in inner containers by dotted key (`models.0`); bounded."""
    found: dict[str, Any] = {}
    _collect(root, "", 0, found)
    return found


def _collect(value: Any, prefix: str, depth: int, found: dict[str, Any]) -> None:
    for key, item in pairs(value, _MOST) or []:
        if len(found) >= _MOST:
            return
        found[prefix + key] = item
        if depth + 1 < _DEPTH and not _plain(item):
            _collect(item, f"{prefix}{key}.", depth + 1, found)


def _plain(value: Any) -> bool:
    """A container of texts and numbers only, which is listed as a whole."""
    return all(isinstance(item, str | bytes | int | float | None) for _, item in pairs(value, _MOST) or [])


def contents(root: Any, servable: Callable[[Any], bool] = lambda _: False) -> tuple[Content, ...]:
    """The values in a container with their class or plain type; `servable` tests whether a value can be served."""
    return tuple(
        Content(key=key, kind=kind(value), servable=servable(value), detail=detail(value))
        for key, value in entries(root).items()
    )


def kind(value: Any) -> str:
    """A value's class as a dotted name, or its plain type."""
    if isinstance(value, Instance):
        return value.class_name
    if isinstance(value, Global):
        return str(value)
    return "numpy.ndarray" if isinstance(value, Array) else type(value).__name__


def detail(value: Any) -> str:
    """A short description of a value: an array's type and shape, a container's size, a short scalar itself."""
    if isinstance(value, Array):
        return f"{value.dtype} {'x'.join(map(str, value.shape))}".strip()
    if isinstance(value, Global):
        return "a class or function, by its name"
    if isinstance(value, bool | int | float) or value is None:
        return str(value)[:60]
    if isinstance(value, str):
        return repr(value[:60])
    inside = pairs(value, 5)
    if inside is None:
        return ""
    return f"{count(value)} items" + (f": {', '.join(key for key, _ in inside)}" if isinstance(value, dict) else "")
