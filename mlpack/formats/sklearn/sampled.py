"""Derive a model's inputs from sample rows, for files that do not record them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mlpack.artifacts.model import TensorSpec
from mlpack.formats.sklearn.estimators import type_of_scalars
from mlpack.formats.sklearn.signatures import Inputs
from mlpack.readers.dates import zone_of


def inputs_of_rows(rows: Sequence[Any]) -> Inputs | None:
    """Named records are columns, lists of numbers a matrix, lists of mixed values columns x0, x1, ..., plain texts one tensor.

    None when the rows are not of one kind.
    """
    if not rows:
        return None
    if all(isinstance(row, dict) for row in rows):
        names = list(dict.fromkeys(str(name) for row in rows for name in row))
        return _columns({name: [row.get(name) for row in rows] for name in names})
    if all(isinstance(row, list) for row in rows) and len({len(row) for row in rows}) == 1:
        columns = {f"x{place}": [row[place] for row in rows] for place in range(len(rows[0]))}
        if all(type_of_scalars(values) in ("FP64", "INT64") for values in columns.values()):
            return Inputs(specs=(TensorSpec(name="input", dtype="FP64", shape=(-1, len(columns))),))
        return _columns(columns)
    if all(isinstance(row, str) for row in rows):
        return Inputs(layout="tensors", specs=(TensorSpec(name="text", dtype="BYTES", shape=(-1,)),))
    return None


def settled_by_rows(inputs: Inputs, rows: Sequence[Any]) -> Inputs:
    """The inputs, with the assumed data types of columns replaced by those of the sample rows."""
    width = len(inputs.columns)
    text = set()
    dates = {}
    for place, name in enumerate(inputs.columns):
        values = [row.get(name) if isinstance(row, dict) else row[place] for row in rows if _fits(row, width)]
        if name in inputs.assumed and any(isinstance(value, str) for value in values):
            text.add(name)
            if (zone := zone_of(values)) is not None:
                dates[name] = zone
    return replace(
        inputs,
        specs=tuple(replace(spec, dtype="BYTES") if spec.name in text else spec for spec in inputs.specs),
        assumed=tuple(name for name in inputs.assumed if name not in text),
        dates={**inputs.dates, **dates},
    )


def _fits(row: Any, width: int) -> bool:
    return isinstance(row, dict) or (isinstance(row, list) and len(row) == width)


def _columns(columns: dict[str, list[Any]]) -> Inputs:
    specs = tuple(TensorSpec(name=name, dtype=_dtype(values), shape=(-1,)) for name, values in columns.items())
    dates = {name: zone for name, values in columns.items() if (zone := zone_of(values)) is not None}
    return Inputs(layout="columns", specs=specs, columns=tuple(columns), dates=dates)


def _dtype(values: list[Any]) -> str:
    known = [value for value in values if value is not None]
    dtype = type_of_scalars(values) if known else "FP64"
    return (
        "FP64" if dtype == "INT64" else dtype
    )  # a few whole numbers do not prove that all values are whole and present
