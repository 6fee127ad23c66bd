"""A summary of a request's values for the log, without the values: shape, classes, range."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import islice
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from ..card import Signature
from ..models.predictor import Array, Arrays

Limits = Tuple[Any, Any]
_quoted = json.encoder.encode_basestring_ascii

_MOST_CLASSES = 20
_MOST_TENSORS = 8
_FEW = 64  # values
_MOST_ROWS = 5  # of a payload
_MOST_TEXT = 2000


def of_inputs(signature: Signature, inputs: Arrays) -> str:
    """Shape and range of what went in, as JSON; columns count as one table."""
    if signature.layout != "columns":
        return _of_tensors(inputs)
    arrays = list(inputs.values())
    if any(array.ndim != 1 for array in arrays):
        return _of_tensors(inputs)
    facts = [_facts(array) for array in arrays]
    limits = [one for one, _ in facts if one is not None]
    whole = (min(low for low, _ in limits), max(high for _, high in limits)) if limits else None
    return f"{{{_members((len(arrays[0]), len(arrays)), whole, sum(missing for _, missing in facts))}}}"


def of_outputs(signature: Signature, outputs: Arrays) -> str:
    """Shape of what came out, and how often each class did, or the range, as JSON."""
    first = next(iter(outputs.values()))
    if signature.classes is None or first.ndim != 1 or signature.method != "predict":
        return _of_tensors(outputs)
    if len(first) == 1:
        return f'{{"shape":[1],"classes":{{{_quoted(str(first.item()))}:1}}}}'
    most = Counter(map(str, first.tolist())).most_common(_MOST_CLASSES)
    classes = ",".join([f"{_quoted(label)}:{count}" for label, count in most])
    return f'{{"shape":[{len(first)}],"classes":{{{classes}}}}}'


def payload(arrays: Optional[Arrays]) -> Any:
    """The values themselves, the first few rows as text: only with the setting `log_payloads`."""
    if arrays is None:
        return None
    shown = {name: array.astype(str) if array.dtype.kind == "M" else array for name, array in arrays.items()}
    rows = {name: array[:_MOST_ROWS].tolist() for name, array in shown.items()}
    return json.dumps(rows, default=str)[:_MOST_TEXT]


def _of_tensors(arrays: Arrays) -> str:
    if len(arrays) == 1:
        (array,) = arrays.values()
        return f"{{{_members(array.shape, *_facts(array))}}}"
    found = [
        f'{{"name":{_quoted(name)},{_members(array.shape, *_facts(array))}}}'
        for name, array in islice(arrays.items(), _MOST_TENSORS)
    ]
    return f'{{"tensors":[{",".join(found)}]}}'


def _members(shape: Sequence[int], limits: Optional[Limits], missing: int) -> str:
    """The members of an object; limits to three digits: enough to see a drift, too little to know the values."""
    text = f'"shape":{list(shape)}'
    if limits is not None:
        text += f',"range":[{limits[0]:.3g},{limits[1]:.3g}]'
    return f'{text},"missing":{missing}' if missing else text


def _facts(array: Array) -> Tuple[Optional[Limits], int]:
    """The least and greatest of the finite values, where there are any, and how many are missing."""
    if array.dtype.kind == "M":
        return None, int(np.isnat(array).sum())
    if array.dtype.kind not in "fiu":
        return None, sum([value is None for value in array.ravel()]) if array.dtype == object else 0
    if array.size > _FEW:
        within = array[np.isfinite(array)] if array.dtype.kind == "f" else array
        missing = int(np.isnan(array).sum()) if within.size < array.size else 0
        return ((within.min(), within.max()) if within.size else None), missing
    values = array.ravel().tolist()
    total = sum(values)
    if total - total == 0 and values:  # all are finite
        return (min(values), max(values)), 0
    finite = [value for value in values if math.isfinite(value)]
    missing = sum([value != value for value in values])  # noqa: PLR0124 - NaN alone is not itself
    return ((min(finite), max(finite)) if finite else None), missing
