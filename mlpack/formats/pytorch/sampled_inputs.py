"""Derive a torch model's input tensors from the user's sample rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from mlpack.artifacts.model import Layout, Signature, TensorSpec

OPEN = "..."  # any number of further axes, for an output of unknown rank
_NUMBERS = (int, float)


def inputs_of_rows(rows: Sequence[Any], names: Sequence[str] = ()) -> tuple[TensorSpec, ...]:
    """The input tensors of the rows, () when the rows have no common form.

    A list is a row of one tensor; a record has a key for each tensor (or, if it has only scalars and the model takes one
    tensor, for each column). Only whole numbers are INT64, other numbers FP32. Axes of differing lengths are dynamic.
    """
    if not rows:
        return ()
    if all(isinstance(row, dict) for row in rows) and len({frozenset(row) for row in rows}) == 1:
        keys = list(rows[0])
        if (len(names) < 2 and set(keys) != set(names)) and all(_plain(row.values()) for row in rows):
            spec = _spec(names[0] if names else "input", [list(row.values()) for row in rows])
            return () if spec is None else (spec,)
        if names and set(keys) != set(names):
            return ()
        specs = [_spec(str(key), [row[key] for row in rows]) for key in (names or keys)]
        return tuple(one for one in specs if one is not None) if all(specs) else ()
    if len(names) > 1:
        if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
            return ()
        specs = [_spec(name, [row[place] for row in rows]) for place, name in enumerate(names)]
        return tuple(one for one in specs if one is not None) if all(specs) else ()
    spec = _spec(names[0] if names else "input", rows)
    return () if spec is None else (spec,)


def arguments_of_rows(rows: Sequence[Any]) -> tuple[TensorSpec, ...]:
    """One tensor for each value of a row, for a module that takes them one by one; without names if the rows are lists."""
    if not rows or not all(isinstance(row, dict | list) for row in rows):
        return ()
    places = [list(row) if isinstance(row, dict) else list(range(len(row))) for row in rows]
    if len({frozenset(one) for one in places}) != 1 or len({type(row) for row in rows}) != 1:
        return ()
    specs = [_spec(key if isinstance(key, str) else "", [row[key] for row in rows]) for key in places[0]]
    return tuple(one for one in specs if one is not None) if all(specs) else ()


def signature_of(
    inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], *, name: str = "forward", rows: Sequence[Any] = ()
) -> Signature:
    """A signature of these tensors: a matrix for one table of numbers, else named tensors.

    The keys of sample rows that are records are the columns of a table, unless the only one is the name of the tensor.
    """
    flat = len(inputs) == 1 and len(inputs[0].shape) == 2
    keys = tuple(rows[0]) if rows and flat and all(isinstance(row, dict) for row in rows) else ()
    columns = () if keys == (inputs[0].name,) else keys
    named = bool(keys) and not columns and any(isinstance(row[keys[0]], list) for row in rows)
    layout: Layout = "matrix" if flat and not named and inputs[0].dtype not in ("BYTES", "BOOL") else "tensors"
    return Signature(
        name=name, method=name, inputs=tuple(inputs), outputs=tuple(outputs), layout=layout, columns=columns
    )


def with_open_axes(inputs: Sequence[TensorSpec], rows: Sequence[Any]) -> tuple[TensorSpec, ...]:
    """The inputs, with axes made dynamic whose lengths differ in the sample rows."""
    sampled = {one.name: one for one in inputs_of_rows(rows, [spec.name for spec in inputs])}
    found = []
    for spec in inputs:
        row = sampled.get(spec.name)
        if row is None or len(row.shape) != len(spec.shape):
            found.append(spec)
            continue
        axes = tuple(have if have == new else -1 for have, new in zip(spec.shape, row.shape, strict=True))
        found.append(replace(spec, shape=axes))
    return tuple(found)


SIZES_GUESSED = "Sizes that the file does not record are guessed for the warm-up; a row with --sample settles them."


def lengths_open(spec: TensorSpec) -> bool:
    """Whether a convolution needs axes of unknown length, and their number of channels is unknown too.

    With known channels, sizes for the warm-up are guessed.
    """
    known = len(spec.shape) in (3, 4) and isinstance(spec.shape[1], int) and spec.shape[1] > 0
    return not known and any(axis == -1 for axis in spec.shape[2:])


def _spec(name: str, values: Sequence[Any]) -> TensorSpec | None:
    """One tensor's spec from its values, one for each row."""
    shapes = {_shape(value) for value in values}
    if None in shapes or len({len(shape) for shape in shapes if shape is not None}) != 1:
        return None
    known = [shape for shape in shapes if shape is not None]
    axes = tuple(sizes[0] if len(set(sizes)) == 1 else -1 for sizes in zip(*known, strict=True))
    dtype = _dtype([leaf for value in values for leaf in _leaves(value)])
    return None if dtype is None else TensorSpec(name=name, dtype=dtype, shape=(-1, *axes))


def _shape(value: Any) -> tuple[int, ...] | None:
    """The shape of nested lists; None when they are ragged or empty."""
    if not isinstance(value, list):
        return ()
    if not value:
        return None
    below = {_shape(one) for one in value}
    inner = next(iter(below))
    return (len(value), *inner) if len(below) == 1 and inner is not None else None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def _dtype(leaves: Sequence[Any]) -> str | None:
    if all(isinstance(leaf, bool) for leaf in leaves):
        return "BOOL"
    if all(isinstance(leaf, str) for leaf in leaves):
        return "BYTES"
    if not all((isinstance(leaf, _NUMBERS) and not isinstance(leaf, bool)) or leaf is None for leaf in leaves):
        return None
    return "INT64" if all(isinstance(leaf, int) for leaf in leaves) else "FP32"


def _plain(values: Any) -> bool:
    return all(not isinstance(value, list | dict) for value in values)
