"""The inputs of a subclassed Keras model from sample rows: what only its code says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from mlpack.formats.keras.architecture import Architecture, Tensor
from mlpack.formats.keras.shapes import Shape


def with_sample(model: Architecture, rows: Sequence[Any]) -> Architecture:
    """The model with the data types of the rows, and with their shapes where the file records none; others are unchanged."""
    if not model.subclassed or not rows:
        return model
    records = all(isinstance(row, dict) for row in rows) and len({frozenset(row) for row in rows}) == 1
    if model.inputs:
        return replace(model, inputs=tuple(_typed(one, rows, alone=len(model.inputs) == 1) for one in model.inputs))
    found = (
        [_tensor(str(name), [row[name] for row in rows]) for name in rows[0]] if records else [_tensor("input", rows)]
    )
    inputs = tuple(one for one in found if one is not None)
    if len(inputs) < len(found):
        return model
    outputs = (Tensor(name="output", dtype="FP32", shape=None),)
    return replace(model, inputs=inputs, outputs=outputs, named=records)


def _typed(one: Tensor, rows: Sequence[Any], *, alone: bool) -> Tensor:
    """The input with the data type of its values; lengths that differ from the recorded ones are open."""
    if all(isinstance(row, dict) and one.name in row for row in rows):
        values = [row[one.name] for row in rows]
    elif alone and not any(isinstance(row, dict) for row in rows):
        values = list(rows)
    else:
        return one
    found = _tensor(one.name, values)
    if found is None or found.shape is None or one.shape is None or len(found.shape) != len(one.shape):
        return one
    lengths = tuple(have if have == new else None for have, new in zip(one.shape, found.shape, strict=True))
    return replace(found, shape=lengths)


def _tensor(name: str, values: Sequence[Any]) -> Tensor | None:
    """A tensor that holds one of the values in each row; None if they have no common form."""
    shapes = [_shape(value) for value in values]
    known = [shape for shape in shapes if shape is not None]
    dtype = _dtype(list(_leaves(values)))
    if len(known) < len(shapes) or len({len(shape) for shape in known}) != 1 or dtype is None:
        return None
    axes = tuple(lengths[0] if len(set(lengths)) == 1 else None for lengths in zip(*known, strict=True))
    return Tensor(name=name, dtype=dtype, shape=(None, *axes))


def _shape(value: Any) -> Shape | None:
    """The shape of nested lists, None if they are ragged or empty."""
    if not isinstance(value, list):
        return ()
    below = {_shape(one) for one in value}
    inner = below.pop() if len(below) == 1 else None
    return None if inner is None else (len(value), *inner)


def _leaves(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _leaves(value)
        else:
            yield value


def _dtype(leaves: list[Any]) -> str | None:
    if all(isinstance(one, str) for one in leaves):
        return "BYTES"
    if all(isinstance(one, bool) for one in leaves):
        return "BOOL"
    if not all(one is None or (isinstance(one, int | float) and not isinstance(one, bool)) for one in leaves):
        return None
    return "INT64" if all(isinstance(one, int) for one in leaves) else "FP32"
