"""Derive a model's inputs from sample rows, for files that do not record them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlpack.artifacts.model import TensorSpec
from mlpack.formats.sklearn.columns import own_function
from mlpack.formats.sklearn.estimators import Estimator, type_of_scalars
from mlpack.formats.sklearn.features import heads
from mlpack.formats.sklearn.signatures import Inputs
from mlpack.readers.dates import UNKNOWN_ZONE, zone_of


def any_lists(model: Estimator, rows: Sequence[Any]) -> Inputs | None:
    """The inputs of a model that hands its rows to a function first, if the rows are nested lists or differ in length.

    It records the length of the first row that it was fitted on, and takes rows of any length.
    """
    first = [Estimator(head) for head in heads(model)]
    takes_any = all(one.name == "FunctionTransformer" and not one.get("validate") for one in first)
    lists = bool(rows) and all(isinstance(row, list) for row in rows)
    found = inputs_of_rows(rows) if first and takes_any and lists else None
    return found if found is not None and found.layout == "tensors" else None


def inputs_of_rows(rows: Sequence[Any]) -> Inputs | None:
    """Named records are columns, lists of numbers a matrix, lists of mixed values columns x0, x1, ..., plain texts one tensor.

    Lists of lists of numbers are a tensor; lists of different lengths are passed on as they are. None when the rows are not of
    one kind.
    """
    if not rows:
        return None
    if all(isinstance(row, dict) for row in rows):
        names = list(dict.fromkeys(str(name) for row in rows for name in row))
        return _columns({name: [row.get(name) for row in rows] for name in names})
    if all(isinstance(row, list) for row in rows):
        sizes = {_sizes(row) for row in rows}
        nested = all(isinstance(one, list) for row in rows for one in row)
        if len({len(row) for row in rows}) > 1 or (nested and (len(sizes) > 1 or None in sizes)):
            spec = TensorSpec(name="row", dtype="BYTES", shape=(-1,))  # no tensor has rows of different lengths
            return Inputs(layout="tensors", specs=(spec,), ragged=True)
        if nested and all(map(_numbers, rows)):
            spec = TensorSpec(name="input", dtype="FP64", shape=(-1, *(sizes.pop() or ())))
            return Inputs(layout="tensors", specs=(spec,))
        columns = {f"x{place}": [row[place] for row in rows] for place in range(len(rows[0]))}
        if all(type_of_scalars(values) in ("FP64", "INT64") for values in columns.values()):
            return Inputs(specs=(TensorSpec(name="input", dtype="FP64", shape=(-1, len(columns))),))
        return _columns(columns)
    if all(isinstance(row, str) for row in rows):
        return Inputs(layout="tensors", specs=(TensorSpec(name="text", dtype="BYTES", shape=(-1,)),))
    return None


def _sizes(row: list[Any]) -> tuple[int, ...] | None:
    """The sizes of nested lists, None if those inside differ; values that are no lists have none."""
    inside = {_sizes(one) if isinstance(one, list) else () for one in row}
    if len(inside) > 1 or None in inside:
        return None
    return (len(row), *(next(iter(inside), None) or ()))


def _numbers(row: list[Any]) -> bool:
    """Whether nested lists hold nothing but numbers."""
    return all(_numbers(one) if isinstance(one, list) else isinstance(one, int | float) for one in row)


def with_rows(inputs: Inputs, model: Estimator, rows: Sequence[Any]) -> Inputs:
    """The inputs with what sample rows tell of what the file does not record."""
    if inputs.sample_helps:
        return inputs_of_rows(rows) or inputs
    if inputs.problem:
        return inputs
    found = any_lists(model, rows) or _settled(inputs, rows)
    return _texts_for_a_function(model, inputs, rows) or found


def _texts_for_a_function(model: Estimator, inputs: Inputs, rows: Sequence[Any]) -> Inputs | None:
    """The columns of an array with texts in it that a function of the user's reads first; None for other models and rows."""
    first = [Estimator(head) for head in heads(model)]
    if inputs.layout != "matrix" or inputs.named or not any(map(own_function, first)):
        return None
    found = inputs_of_rows(rows)
    if found is None or found.layout != "columns" or len(found.specs) != inputs.specs[0].shape[-1]:
        return None
    return replace(found, sampled_names=inputs.sampled_names)


def _settled(inputs: Inputs, rows: Sequence[Any]) -> Inputs:
    """The inputs, with the assumed and guessed data types of columns replaced by those of the sample rows."""
    width = len(inputs.columns)
    types: dict[str, str] = {}
    dates: dict[str, str] = {}
    for place, name in enumerate(inputs.columns):
        if name not in inputs.assumed and name not in inputs.guessed:
            continue
        values = [row.get(name) if isinstance(row, dict) else row[place] for row in rows if _fits(row, width)]
        if any(isinstance(value, str) for value in values):
            types[name] = "BYTES"
            if (zone := zone_of(values)) is not None:
                dates[name] = zone
        elif any(value is not None for value in values):
            types[name] = "FP64"
    # only these may keep the categories that a later step revealed
    known = {name for name, dtype in types.items() if dtype == "BYTES" and name not in dates}
    return _of_known_zones(
        replace(
            inputs,
            specs=tuple(replace(spec, dtype=types.get(spec.name, spec.dtype)) for spec in inputs.specs),
            categories={name: one for name, one in inputs.categories.items() if name not in types or name in known},
            assumed=tuple(name for name in inputs.assumed if types.get(name) != "BYTES"),
            dates={**{name: zone for name, zone in inputs.dates.items() if name not in types}, **dates},
        )
    )


def _of_known_zones(inputs: Inputs) -> Inputs:
    """The inputs; a problem if a model would be given times of day whose time zone is unknown."""
    unknown = next((name for name, zone in inputs.dates.items() if zone == UNKNOWN_ZONE), None)
    if unknown is None:
        return inputs
    return Inputs(
        problem=f"the times of column {unknown!r} in the sample have an offset from UTC, which does not tell their time zone",
        advice="Give the sample as .parquet, which keeps the time zone. If the model was trained on times in UTC, write those "
        "of the sample in UTC (`2024-01-31T12:00:00Z`).",
    )


def _fits(row: Any, width: int) -> bool:
    return isinstance(row, dict) or (isinstance(row, list) and len(row) == width)


def _columns(columns: dict[str, list[Any]]) -> Inputs:
    specs = tuple(TensorSpec(name=name, dtype=_dtype(values), shape=(-1,)) for name, values in columns.items())
    dates = {name: zone for name, values in columns.items() if (zone := zone_of(values)) is not None}
    return _of_known_zones(Inputs(layout="columns", specs=specs, columns=tuple(columns), dates=dates))


def _dtype(values: list[Any]) -> str:
    known = [value for value in values if value is not None]
    dtype = type_of_scalars(values) if known else "FP64"
    return (
        "FP64" if dtype == "INT64" else dtype
    )  # a few whole numbers do not prove that all values are whole and present
