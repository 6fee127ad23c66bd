"""Nested JSON lists into tensors of more than one axis."""

from __future__ import annotations

from itertools import chain
from typing import Any, List, Sequence

from ...card import TensorSpec
from ...errors import BadInputError
from ...models.predictor import Array
from .casting import STRICT, CastError, Rules, cast, shown, unravel


def cast_nested(values: Sequence[Any], spec: TensorSpec, rules: Rules = STRICT) -> Array:
    """One nested value a row into a tensor of the spec's dtype, whose axes after the first fit the spec's shape.

    A bare value stands for a row of one element.

    Raises:
        BadInputError: the lists are ragged, or their lengths are not the spec's.
        CastError: never; it becomes a BadInputError with the value's place.
    """
    shape: List[int] = [len(values)]
    level: Sequence[Any] = values
    if one_element(spec):
        level = [value if type(value) is list else _wrapped(value, len(spec.shape) - 1) for value in values]
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
        return cast(level, spec.dtype, rules).reshape(shape)
    except CastError as error:
        misfit = error.misfits[0]
        place = unravel(misfit.place, tuple(shape))
        raise BadInputError(
            f"row {place[0]}, tensor {shown(spec.name)} at {place[1:]}: expected {misfit.expected}, got {misfit.got}"
        ) from error


def one_element(spec: TensorSpec) -> bool:
    """Whether a row of the tensor is one element in axes of size 1."""
    return len(spec.shape) > 1 and all(size == 1 for size in spec.shape[1:])


def _wrapped(value: Any, axes: int) -> Any:
    for _ in range(axes):
        value = [value]
    return value


def _words(spec: TensorSpec) -> str:
    return f"in each row nested lists of shape {list(spec.shape[1:])} ({spec.dtype})"


def _some(lengths: List[int]) -> str:
    return ", ".join(map(str, lengths[:5]))
