"""What a file puts into the objects that it makes (BUILD): attributes that make loading run code, texts that run as code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from mlpack.readers.attributes import check_attributes, concerns
from mlpack.readers.record import Record
from mlpack.readers.values import Global, Instance

# Attributes that change how an object is loaded or called: no class keeps them in an object's state.
_HOOKS = frozenset(
    {"__setstate__", "__reduce__", "__reduce_ex__", "__class__", "__getattribute__", "__getattr__", "__setattr__"}
    | {"__call__", "__del__", "__init__", "__new__", "__code__", "__globals__", "__builtins__", "__subclasshook__"}
)
# scipy's distributions run this text when they get their state. Its own is three functions that hand arguments on.
_SCIPY_TEMPLATE = re.compile(
    r"(\s*def _parse_args\w*\(self[\w ,=']*\):"
    r"\s*return (self\._argcheck_rvs)?\([\w ,=]*\)[\w ,=]*)*\s*"
)
_RUN_TEXTS = ("statsmodels.base.data.", "scipy.stats.")  # where classes run a text of their state
_KEYS = (str, int, float, bytes, tuple, type(None))
_MAPPINGS = (
    "collections.OrderedDict", "collections.defaultdict", "collections.Counter", "sklearn.utils.Bunch",
    "sklearn.utils._bunch.Bunch", "statsmodels.tools.tools.Bunch",
)  # fmt: skip


def check_state(record: Record, target: Instance, state: Any) -> None:
    """Note what is odd in a state that an object is given."""
    for half in state if isinstance(state, tuple) else (state,):
        held = _held(half)
        if held is not None:
            _check_attributes(record, target, held)
        if held is None or not all(isinstance(key, _KEYS) for key in held):
            # A mapping that another object stands for is one for the loader too: what is in it has to be seen.
            if concerns(target, _RUN_TEXTS):
                record.trick(target.class_name, "its state, parts of which run as code, is put together out of sight")
            elif held is not None:
                record.suspect(target.class_name, "the names of its attributes are put together by the file")


def _held(half: Any) -> Mapping[Any, Any] | None:
    """What is in a part of a state: of a dict, or of an object that is used as one; None when that cannot be seen."""
    if isinstance(half, dict):
        return half
    if not isinstance(half, Instance):
        return {}
    if half.class_name not in _MAPPINGS:
        return None
    own = half.state if isinstance(half.state, dict) else {}  # a Bunch's attributes are its items
    pairs = list(_pairs([one for one in half.args if not isinstance(one, Global)]))
    return None if None in pairs else {**dict(filter(None, pairs)), **half.kwargs, **own, **dict(half.mapping)}


def _pairs(given: list[Any]) -> Iterator[tuple[Any, Any] | None]:
    """The pairs that a mapping is made of, None for what cannot be seen as one."""
    for one in given:
        if isinstance(one, dict):
            yield from one.items()
        elif isinstance(one, list | tuple):
            for pair in one:
                known = isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], _KEYS)
                yield (pair[0], pair[1]) if known else None
        else:
            yield None


def _check_attributes(record: Record, target: Instance, held: Mapping[Any, Any]) -> None:
    if not _HOOKS.isdisjoint(held):
        hook = min(_HOOKS.intersection(held))
        record.trick(target.class_name, f"the file sets {hook} on an object, which makes loading run other code")
    check_attributes(record, target, held)
    if not _SCIPY_TEMPLATE.fullmatch(str(held.get("_parse_arg_template", ""))):
        record.trick(target.class_name, "its state holds a text that scipy runs as code, and it is not scipy's own")
