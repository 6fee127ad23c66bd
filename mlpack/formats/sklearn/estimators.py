"""Estimator: an instance in a pickle that is fitted by scikit-learn's conventions; and how the values around it are read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from mlpack.artifacts.model import Scalar
from mlpack.formats.sklearn.kinds import SKLEARN, Kind, relative
from mlpack.readers.pickles.values import Array, Global, Instance
from mlpack.readers.skops import VERSION

_MOST_VALUES = 2_000_000  # what a walk looks at before it stops: a forest of thousands of trees has fewer
_DATES = re.compile(r"([<>])M8\[(ns|us|ms|s|m|h|D)\]")
_NANOSECONDS = {
    "ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "D": 86400 * 10**9
}  # fmt: skip
_NAT = -(2**63)
_PLAIN = frozenset({str, bytes, int, float, bool, type(None)})


@dataclass(frozen=True, eq=False)
class Estimator:
    """An Instance seen as an estimator: its class, what that class is for, its attributes.

    `kind` is None for a class of others' code (or of a scikit-learn that has classes which this table does not know).
    """

    instance: Instance

    @cached_property
    def path(self) -> str:
        """The dotted class name as the file writes it."""
        return self.instance.class_name

    @cached_property
    def name(self) -> str:
        """The bare class name."""
        return self.path.rpartition(".")[2]

    @cached_property
    def package(self) -> str:
        """The top-level module of its class."""
        return self.path.partition(".")[0]

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """What fitting left in it, and its parameters."""
        return self.instance.attributes()

    @cached_property
    def kind(self) -> Kind | None:
        """What its class is for, None when the class is not known."""
        if self.package == "sklearn":
            return SKLEARN.get(self.name)
        return relative(self.package, self.path)

    @cached_property
    def own(self) -> bool:
        """True for scikit-learn's own classes."""
        return self.package == "sklearn"

    def get(self, *names: str) -> Any:
        """The first of these attributes that is there and not None."""
        return next((self.attributes[name] for name in names if self.attributes.get(name) is not None), None)


def estimator(value: Any) -> Estimator | None:
    """The value as an estimator whose class is known (or which scikit-learn stamped with its version), else None."""
    if not isinstance(value, Instance) or not isinstance(value.callable, Global | Instance):
        return None
    found = Estimator(value)
    if found.kind is not None or (found.own and "_sklearn_version" in found.attributes):
        return found
    return None


def any_instance(value: Any) -> Estimator | None:
    """The value as an estimator even when its class is others' code, None when it is no object at all."""
    return Estimator(value) if isinstance(value, Instance) else None


def walk(root: Any) -> Iterator[Any]:
    """Every value below `root`, each once, in the order of the file; bounded. Left out are values without an object in them."""
    seen: set[int] = set()
    left = [root]
    while left and len(seen) < _MOST_VALUES:
        value = left.pop()
        if type(value) in _PLAIN or id(value) in seen:
            continue
        seen.add(id(value))
        yield value
        # Filtered here: a vocabulary has hundreds of thousands of numbers, a table as many short rows.
        left.extend([item for item in reversed(_inside(value)) if not _is_plain(item)])


def _is_plain(value: Any) -> bool:
    """Whether it is a text, a number, or a list or tuple of nothing else."""
    kind = type(value)
    return kind in _PLAIN or ((kind is tuple or kind is list) and all(type(item) in _PLAIN for item in value))


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return list(value)
    if isinstance(value, Array):
        return list(value.objects or ())
    if isinstance(value, Instance):
        state = value.state
        inner = list(state.values()) if isinstance(state, dict) else [state]
        return [*value.args, *value.kwargs.values(), *inner, *value.items, *(item for _, item in value.mapping)]
    return []


def estimators_in(root: Any) -> list[Estimator]:
    """Every known estimator below `root`."""
    return [found for value in walk(root) if (found := estimator(value)) is not None]


def count_of(value: Any, most: int) -> int | None:
    """A whole number as a count; None for what is none, or more than `most`."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most else None


def version_of(value: Any) -> str | None:
    """A release as a file records it; None for what is no version."""
    return value if isinstance(value, str) and VERSION.fullmatch(value) else None


def scalar(value: Any) -> Scalar:
    """A label or category as a JSON value: NaN and what has no JSON form become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | int | bool):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None


def sequence(value: Any) -> list[Any] | None:
    """The elements of a list, tuple, array, pandas Index or list-like object; None when they are not to be had."""
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, Array):
        return value.values()
    if isinstance(value, Instance):
        if value.items:
            return list(value.items)
        inner = value.attributes().get("data")  # collections.UserList, which scikit-learn's remainder columns are
        if isinstance(inner, list):
            return inner
        for part in _inside(value):  # pandas.Index: _new_Index(class, {"data": array})
            data = part.get("data") if isinstance(part, dict) else None
            if isinstance(data, Array | list):
                return sequence(data)
    return None


def dates(value: Any) -> list[str | None] | None:
    """The texts of an array of dates, as the loader answers them; None for other values, and for years beyond 9999."""
    unit = _DATES.fullmatch(value.dtype) if isinstance(value, Array) else None
    numbers = replace(value, dtype=f"{unit[1]}i8").values() if unit else None
    if unit is None or numbers is None:
        return None
    try:
        texts = [None if number == _NAT else _date_text(number * _NANOSECONDS[unit[2]]) for number in numbers]
    except OverflowError:
        return None
    return [text and text[:10] for text in texts] if unit[2] == "D" else texts


def _date_text(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 10**9)
    text = (datetime(1970, 1, 1) + timedelta(seconds=seconds)).isoformat()  # noqa: DTZ001 - numpy's dates have no zone
    digits = f"{rest:09}"
    return f"{text}.{digits if rest % 1000 else digits[:6]}" if rest else text


def shape(value: Any) -> tuple[int, ...]:
    """An array's shape (a sparse matrix's, too), empty when it has none."""
    if isinstance(value, Array):
        return value.shape
    if isinstance(value, Instance):
        inner = value.attributes().get("_shape")
        if isinstance(inner, tuple) and all(isinstance(size, int) and size >= 0 for size in inner):
            return inner
    return ()


def data_type(value: Any) -> str:
    """The V2 data type of an array's elements: numbers by their width, text as BYTES; an object array by what it holds."""
    if not isinstance(value, Array):
        return type_of_scalars(sequence(value) or [])
    letter, width = value.dtype.lstrip("<>|=")[:1], value.dtype.lstrip("<>|=")[1:]
    if letter in "OT":
        return type_of_scalars(value.values() or [])
    if letter == "b":
        return "BOOL"
    if letter in "iuf" and width in ("1", "2", "4", "8", "16"):
        return {"i": "INT", "u": "UINT", "f": "FP"}[letter] + str(int(width) * 8)
    return "BYTES"


def type_of_scalars(values: list[Any]) -> str:
    """The V2 data type that holds all of these Python values; missing ones do not count."""
    kinds = {type(value) for value in values if not (value is None or (isinstance(value, float) and math.isnan(value)))}
    missing = any(value is None or isinstance(value, float) for value in values)
    if kinds == {bool} and not missing:
        return "BOOL"
    if kinds == {int} and not missing:
        return "INT64"
    if kinds and kinds <= {int, float, bool}:
        return "FP64"
    return "BYTES"
