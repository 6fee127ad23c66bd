"""Values that are harmless only in one place of a file: a cache as `memory` of an estimator; getattr where it is called."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlpack.readers.pickles.record import Record
from mlpack.readers.pickles.text_methods import is_getattr
from mlpack.readers.pickles.values import Array, Instance

_MEMORY = "joblib.memory.Memory"
_STORE = "joblib._store_backends.FileSystemStoreBackend"
_CACHES = (_MEMORY, _STORE)
_PATHS = ("pathlib.PosixPath", "pathlib._local.PosixPath")
_FITTING = ("sklearn.", "imblearn.")  # their estimators use `memory` in fitting only
_MOST = 5_000_000  # values that are looked at
_PLAIN = (str, int, float, type(None))


def check_places(record: Record, root: Any, states: Iterable[dict[Any, Any]]) -> None:
    """Record a file that keeps `getattr` as a function, or a cache anywhere but as `memory` of an estimator.

    A cache deletes and reads files when its methods are called, so nothing else may hold one. `states` are all dicts that
    became attributes, also of objects that are not below the root.
    """
    if not record.text_methods and not any(str(name) in _CACHES for name in record.names):
        return
    seen: set[int] = set()
    _look(record, [root], seen)
    _look(record, [one for one in states if id(one) not in seen], seen)


def _look(record: Record, left: list[Any], seen: set[int]) -> None:
    while left:
        value = left.pop()
        if is_getattr(value):
            record.dangerous("builtins.getattr", "the file keeps it as a function")
        elif _is_cache(value):
            record.dangerous(value.class_name, "the file keeps a cache where no estimator has one")
        elif id(value) not in seen and (inside := _inside(value)):
            seen.add(id(value))
            if isinstance(value, Instance):
                seen.update(map(id, _states(value)))
            left.extend(inside)
            if len(seen) + len(left) > _MOST:
                record.suspect("builtins.getattr", "the file has more values than are looked at")
                return


def _is_cache(value: Any) -> bool:
    return isinstance(value, Instance) and value.class_name in _CACHES


def _inside(value: Any) -> list[Any]:
    """All that a value holds, except an ordinary cache in its place."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, Array):
        return list(value.objects or ())
    if not isinstance(value, Instance):
        return []
    state = value.state
    held: list[Any] = [state]
    if isinstance(state, dict):
        placed = _placed(value) is not None
        held = [*state, *(one for key, one in state.items() if not (placed and key == "memory"))]
    elif isinstance(state, tuple):
        held = [part for half in state for part in (_inside(half) if isinstance(half, dict) else [half])]
    pairs = [one for pair in value.mapping for one in pair]
    computed = [value.callable] if isinstance(value.callable, Instance) else []
    return [*computed, *value.args, *value.kwargs.values(), *held, *value.items, *pairs]


def _states(value: Instance) -> list[Any]:
    """The dicts that are the attributes of an object, and of the cache in its place."""
    halves = list(value.state) if isinstance(value.state, tuple) else [value.state]
    memory = _placed(value)
    return halves if memory is None else [*halves, memory.state]


def _placed(value: Instance) -> Instance | None:
    """The ordinary cache that an estimator has as `memory`."""
    memory = value.state.get("memory") if isinstance(value.state, dict) else None
    return memory if value.class_name.startswith(_FITTING) and _is_ordinary(memory) else None


def _is_ordinary(memory: Any) -> bool:
    """Whether a value is a cache as joblib writes it: made without arguments, plain attributes and a store of plain ones."""
    if not _is_made_of(memory, _MEMORY):
        return False
    attributes = dict(memory.state)
    store = attributes.pop("store_backend", None)
    stored = store is None or (_is_made_of(store, _STORE) and all(map(_is_plain, store.state.values())))
    return stored and all(map(_is_plain, attributes.values()))


def _is_made_of(value: Any, class_: str) -> bool:
    if not isinstance(value, Instance) or value.class_name != class_ or value.kwargs or value.items or value.mapping:
        return False
    bare = not value.args if str(value.callable) == class_ else len(value.args) == 3 and value.args[2] is None
    return bare and isinstance(value.state, dict)


def _is_plain(value: Any) -> bool:
    if isinstance(value, Instance):  # the folder
        return value.class_name in _PATHS and value.state is None and all(isinstance(one, str) for one in value.args)
    return isinstance(value, _PLAIN) or (isinstance(value, dict) and all(map(_is_plain, value.values())))
