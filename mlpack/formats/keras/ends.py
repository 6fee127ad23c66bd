"""The ends of a Keras model's graph: which tensor of which layer each input and output is, under which name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_DEEPEST = 20


class End(NamedTuple):
    """A tensor: the layer that gives it, which of the layer's calls, and which tensor of that call's answer."""

    layer: str
    call: int = 0
    tensor: int = 0


def ends_of(value: Any) -> list[End]:
    """The tensors in `["a", 0, 0]`, a list of such, or a dictionary of them, in their order."""
    return [end for _, end in _ends(value, "", 0)]


def named_ends(value: Any) -> list[tuple[str, End]]:
    """The tensors by the names that requests and answers have for them.

    In a dictionary it is the key (`a.b` in one of dictionaries, `a_0` in one of lists), else the layer's name. A name that
    came before has a number, as Keras 2 writes it: `lstm`, `lstm_1`.
    """
    found = list(_ends(value, "", 0))
    return list(zip(_unique([key or end.layer for key, end in found]), (end for _, end in found), strict=True))


def structure_of(value: Any, names: Sequence[str]) -> Any:
    """The lists and dictionaries of `value`, with a name in place of each tensor, in their order."""
    return _with_names(value, iter(names))


def _ends(value: Any, key: str, depth: int) -> Iterator[tuple[str, End]]:
    if depth > _DEEPEST:
        raise ValueError("its inputs or outputs are nested too deeply")
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from _ends(one, f"{key}.{name}" if key else str(name), depth + 1)
    elif _is_end(value):
        numbers = [one if isinstance(one, int) else 0 for one in (*value[1:3], 0, 0)]
        yield key, End(value[0], *numbers[:2])
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _ends(one, f"{key}_{place}" if key else "", depth + 1)


def _with_names(value: Any, names: Iterator[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _with_names(one, names) for name, one in value.items()}
    if _is_end(value):
        return next(names)
    return [_with_names(one, names) for one in value] if isinstance(value, list) else None


def _is_end(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], str)


def _unique(names: Sequence[str]) -> Iterator[str]:
    before: Counter[str] = Counter()
    taken: set[str] = set()
    for name in names:
        new = f"{name}_{before[name]}" if before[name] else name
        while new in taken:
            before[name] += 1
            new = f"{name}_{before[name]}"
        before[name] += 1
        taken.add(new)
        yield new
