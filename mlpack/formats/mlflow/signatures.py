"""The signature in an MLmodel, and its merge with the signature of the model file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlpack.artifacts.model import Signature, TensorSpec
from mlpack.readers.counts import MOST_FEATURES

# https://mlflow.org/docs/latest/ml/model/signatures: column types; numbers of a table stay FP64, which may be missing.
_COLUMNS = {
    "boolean": "BOOL", "integer": "INT64", "long": "INT64", "float": "FP32", "double": "FP64", "string": "BYTES",
    "datetime": "BYTES",
}  # fmt: skip
_TENSORS = {
    "bool": "BOOL", "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64", "uint8": "UINT8", "uint16": "UINT16",
    "uint32": "UINT32", "uint64": "UINT64", "float16": "FP16", "float32": "FP32", "float64": "FP64", "str": "BYTES",
    "object": "BYTES",
}  # fmt: skip
_NUMBERS = ("INT64", "FP32", "FP64")


def signature_of(declared: Any) -> Signature | None:
    """The MLmodel's signature; None when it has none, or one that our vocabulary lacks words for."""
    if not isinstance(declared, Mapping):
        return None
    inputs, outputs = _specs(declared.get("inputs"), "input"), _specs(declared.get("outputs"), "predict")
    if not inputs or not outputs:
        return None
    columns = all(len(one.shape) == 1 for one in inputs)
    matrix = not columns and len(inputs) == 1 and len(inputs[0].shape) == 2
    if columns:  # a column of numbers may miss one, which only a float can say
        inputs = tuple(replace(one, dtype="FP64") if one.dtype in _NUMBERS else one for one in inputs)
    dates = {one.name: "" for one in inputs if columns and one.name in _dates(declared.get("inputs"))}
    return Signature(
        name="predict",
        method="predict",
        dates=dates,
        inputs=inputs,
        outputs=(replace(outputs[0], name="predict"),),
        layout="columns" if columns else "matrix" if matrix else "tensors",
        columns=tuple(one.name for one in inputs) if columns else (),
    )


def _dates(declared: Any) -> set[str]:
    """The names of the columns of dates; numpy's datetime64, and so MLflow's, has no time zone."""
    items = json.loads(declared) if isinstance(declared, str) else declared
    return {str(item.get("name")) for item in items if isinstance(item, dict) and item.get("type") == "datetime"}


def _specs(declared: Any, default: str) -> tuple[TensorSpec, ...]:
    """The tensors that a JSON text lists; () when one of them is of a type that is not known here."""
    try:
        items = json.loads(declared) if isinstance(declared, str) else declared
    except (ValueError, RecursionError):
        return ()
    if not isinstance(items, list):
        return ()
    found = [_spec(item, f"{default}_{place}" if place else default) for place, item in enumerate(items)]
    return tuple(one for one in found if one is not None) if None not in found else ()


def _spec(item: Any, default: str) -> TensorSpec | None:
    if not isinstance(item, dict):
        return None
    name = str(item.get("name") or default)
    tensor = item.get("tensor-spec")
    if isinstance(tensor, dict):
        dtype, shape = _TENSORS.get(str(tensor.get("dtype"))), tensor.get("shape")
        if dtype is None or not isinstance(shape, list) or not all(_is_axis(size) for size in shape):
            return None
        return TensorSpec(name=name, dtype=dtype, shape=(-1, *shape[1:]))
    column = _COLUMNS.get(str(item.get("type")))
    return None if column is None else TensorSpec(name=name, dtype=column, shape=(-1,))


def _is_axis(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and -1 <= size <= MOST_FEATURES


def overlaid(own: Signature, declared: Signature | None) -> Signature:
    """The file's signature, with MLflow's column names for a table without names, and its texts among assumed numbers."""
    if declared is None:
        return own
    if own.layout == "matrix" and not own.columns and len(declared.columns) == own.inputs[0].shape[-1]:
        return replace(own, columns=declared.columns)
    types = {spec.name: spec.dtype for spec in declared.inputs}
    assumed = set(own.assumed) & set(types)
    return replace(
        own,
        inputs=tuple(
            replace(spec, dtype=types[spec.name])
            if spec.name in assumed and types[spec.name] in ("BYTES", "BOOL")
            else spec
            for spec in own.inputs
        ),
        assumed=tuple(name for name in own.assumed if name not in assumed),
        dates={**own.dates, **{name: zone for name, zone in declared.dates.items() if name in assumed}},
    )
