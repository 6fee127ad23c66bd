"""Arrays into what the contracts answer: rows of predictions, or whole tensors."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from ...models.predictor import Arrays
from .binary import marked


def predictions(outputs: Arrays) -> List[Any]:
    """The only output's rows; with several outputs, each row an object of them all."""
    columns: List[Tuple[str, List[Any]]] = [(name, array.tolist()) for name, array in outputs.items()]
    if len(columns) == 1:
        return columns[0][1]
    names = [name for name, _ in columns]
    return [dict(zip(names, row)) for row in zip(*(values for _, values in columns))]


def tensors(outputs: Arrays) -> Any:
    """The only output whole; with several outputs, an object of them all."""
    found: Dict[str, List[Any]] = {name: array.tolist() for name, array in outputs.items()}
    return next(iter(found.values())) if len(found) == 1 else found


def with_base64(outputs: Arrays) -> Arrays:
    """The outputs; bytes in those whose names end in `_bytes` as `{"b64": ...}`, as TensorFlow Serving marks them."""
    return {name: _marked(array) if name.endswith("_bytes") else array for name, array in outputs.items()}


def _marked(array: Any) -> Any:
    if array.dtype.kind not in "OSU":  # a number of bytes, perhaps
        return array
    found = array.astype(object)
    for place, value in enumerate(found.flat):
        data = value.encode() if isinstance(value, str) else value
        if isinstance(data, bytes):
            found.flat[place] = marked(data)
    return found
