"""What a log line says of a request's values without telling them: shape, classes, range."""

from __future__ import annotations

import json
import math
from typing import Any, Dict, List, Optional

import numpy as np

from .card import Signature
from .predictor import Array, Arrays

_MOST_CLASSES = 20
_MOST_TENSORS = 8
_FEW = 64  # values
_MOST_ROWS = 5  # of a payload
_MOST_TEXT = 2000


def of_inputs(signature: Signature, inputs: Arrays) -> Dict[str, Any]:
    """Shape and range of what went in; columns count as one table."""
    arrays = list(inputs.values())
    if signature.layout != "columns" or any(array.ndim != 1 for array in arrays):
        return _of_tensors(inputs)
    found: Dict[str, Any] = {"shape": [len(arrays[0]), len(arrays)]}
    ranges = [one for one in map(_range, arrays) if one is not None]
    if ranges:
        found["range"] = [min(low for low, _ in ranges), max(high for _, high in ranges)]
    missing = sum(map(_missing, arrays))
    return {**found, "missing": missing} if missing else found


def of_outputs(signature: Signature, outputs: Arrays) -> Dict[str, Any]:
    """Shape of what came out, and how often each class did, or the range."""
    first = next(iter(outputs.values()))
    if signature.classes is None or first.ndim != 1 or signature.method != "predict":
        return _of_tensors(outputs)
    counts: Dict[str, int] = {}
    for label in first.tolist():
        counts[str(label)] = counts.get(str(label), 0) + 1
    most = sorted(counts.items(), key=lambda one: -one[1])[:_MOST_CLASSES]
    return {"shape": list(first.shape), "classes": dict(most)}


def payload(arrays: Optional[Arrays]) -> Any:
    """The values themselves, the first few rows as text: only where the setting asks for it."""
    if arrays is None:
        return None
    rows = {name: array[:_MOST_ROWS].tolist() for name, array in arrays.items()}
    return json.dumps(rows, default=str)[:_MOST_TEXT]


def _of_tensors(arrays: Arrays) -> Dict[str, Any]:
    found: List[Dict[str, Any]] = []
    for name, array in list(arrays.items())[:_MOST_TENSORS]:
        one: Dict[str, Any] = {"shape": list(array.shape)}
        limits = _range(array)
        if limits is not None:
            one["range"] = limits
        missing = _missing(array)
        if missing:
            one["missing"] = missing
        found.append(one if len(arrays) == 1 else {"name": name, **one})
    return found[0] if len(arrays) == 1 else {"tensors": found}


def _range(array: Array) -> Optional[List[float]]:
    """Least and greatest, to three digits: enough to see a drift, too little to tell the values."""
    if array.dtype.kind not in "fiu" or array.size == 0:
        return None
    if array.size <= _FEW:
        values = [value for value in array.ravel().tolist() if math.isfinite(value)]
        return [_short(min(values)), _short(max(values))] if values else None
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    return [_short(finite.min()), _short(finite.max())] if finite.size else None


def _short(value: Any) -> float:
    return float(f"{value:.3g}")


def _missing(array: Array) -> int:
    if array.dtype.kind == "f":
        if array.size <= _FEW:
            return sum([value != value for value in array.ravel().tolist()])  # noqa: PLR0124 - NaN alone is not itself
        return int(np.isnan(array).sum())
    return sum([value is None for value in array.ravel()]) if array.dtype == object else 0
