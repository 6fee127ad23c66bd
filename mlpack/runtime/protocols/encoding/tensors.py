"""Nested JSON lists into tensors of more than one axis."""

from __future__ import annotations

from itertools import chain
from typing import Any, List, Sequence

from ...card import TensorSpec
from ...errors import BadInputError
from ...models.predictor import Array
from .casting import CastError, cast, shown, unravel


def cast_nested(values: Sequence[Any], spec: TensorSpec, *, infinite: bool = False) -> Array:
    """One nested value a row into a tensor of the spec's dtype, whose axes after the first fit the spec's shape.

    Raises:
        BadInputError: the lists are ragged, or their lengths are not the spec's.
        CastError: never; it becomes a BadInputError with the value's place.
    """
    shape: List[int] = [len(values)]
    level: Sequence[Any] = values
    for size in spec.shape[1:]:
        if set(map(type, level)) != {list}:
            stray = next(value for value in level if type(value) is not list)
            raise BadInputError(
                f"tensor {shown(spec.name)}: expected {_words(spec)}, got {shown(stray)} in place of a list"
            )
        lengths = set(map(len, level))
        length = next(iter(lengths))
        if len(lengths) > 1 or (isinstance(size, int) and size not in (-1, length)) or not length:
            raise BadInputError(
                f"tensor {shown(spec.name)}: expected {_words(spec)}, got lists of {_some(sorted(lengths))} values"
            )
        shape.append(length)
        level = list(chain.from_iterable(level))
    try:
        return cast(level, spec.dtype, infinite=infinite).reshape(shape)
    except CastError as error:
        misfit = error.misfits[0]
        place = unravel(misfit.place, tuple(shape))
        raise BadInputError(
            f"row {place[0]}, tensor {shown(spec.name)} at {place[1:]}: expected {misfit.expected}, got {misfit.got}"
        ) from error


def _words(spec: TensorSpec) -> str:
    return f"in each row nested lists of shape {list(spec.shape[1:])} ({spec.dtype})"


def _some(lengths: List[int]) -> str:
    return ", ".join(map(str, lengths[:5]))
