"""The input example that an MLflow folder keeps, as rows of the kind that `--sample` gives."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlpack.artifacts.model import Signature, TensorSpec
from mlpack.readers.archives.trees import Tree
from mlpack.readers.limits import CutOffError

_LONGEST = 4 << 20
_MOST = 20
_NUMBER = (int, float, type(None))


def example_of(tree: Tree, document: Mapping[str, Any]) -> tuple[Any, ...]:
    """Up to 20 rows of the example that the MLmodel names; () without one, or when it is no rows of plain values."""
    info = document.get("saved_input_example_info")
    name = str(info.get("artifact_path") or "") if isinstance(info, Mapping) else ""
    if name not in tree:
        return ()
    try:
        rows = _rows(json.loads(tree.read(name, _LONGEST), parse_constant=lambda _: None))
    except (CutOffError, OSError, ValueError, RecursionError):
        return ()
    return tuple(rows[:_MOST])


def _rows(held: Any) -> list[Any]:
    """The rows in what MLflow wrote: a table by columns, tensors (beside parameters or not), records, one record."""
    if isinstance(held, list):
        return held
    if not isinstance(held, dict):
        return []
    for key in ("dataframe_split", "inputs"):
        if key in held:
            return _rows(held[key])
    columns, data = held.get("columns"), held.get("data")
    if isinstance(data, list) and all(isinstance(row, list) for row in data):
        if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
            return data
        return [dict(zip(columns, row, strict=False)) for row in data]
    lengths = {len(value) if isinstance(value, list) else -1 for value in held.values()}
    if len(lengths) == 1 and lengths != {-1}:
        return [dict(zip(held, row, strict=True)) for row in zip(*held.values(), strict=True)]
    return [held] if lengths == {-1} and not any(isinstance(one, dict) for one in held.values()) else []


def fits(signature: Signature, rows: Sequence[Any]) -> bool:
    """Whether rows fit a signature, by names, lengths and types."""
    return bool(rows) and all(_fits(signature, row) for row in rows)


def _fits(signature: Signature, row: Any) -> bool:
    if signature.layout == "matrix":
        width = signature.inputs[0].shape[-1]
        if isinstance(row, dict):
            return set(signature.columns) == set(row) and _numbers(row.values())
        return isinstance(row, list) and width in (-1, len(row)) and _numbers(row)
    if isinstance(row, dict):
        return all(spec.name in row and _is(spec, row[spec.name]) for spec in signature.inputs)
    if signature.layout == "columns":
        paired = isinstance(row, list) and len(row) == len(signature.inputs)
        return paired and all(_is(spec, value) for spec, value in zip(signature.inputs, row, strict=True))
    return len(signature.inputs) == 1 and _is(signature.inputs[0], row)


def _is(spec: TensorSpec, value: Any) -> bool:
    """Whether a value is of the input's rank, and text where it is text."""
    axes = spec.shape[1:]
    while isinstance(value, list) and axes:
        if not value or (isinstance(axes[0], int) and axes[0] not in (-1, len(value))):
            return False
        value, axes = value[0], axes[1:]
    if axes or isinstance(value, list | dict):
        return False
    return value is None or isinstance(value, str) if spec.dtype == "BYTES" else isinstance(value, _NUMBER)


def _numbers(values: Any) -> bool:
    return all(isinstance(value, _NUMBER) for value in values)
