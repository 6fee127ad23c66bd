"""Hooks for schemathesis: what OpenAPI says in words, and JSON Schema cannot say, holds for the bodies that it generates."""

from __future__ import annotations

import math
from typing import Any

import schemathesis  # an environment of its own has it: tests/contract/clients.txt

_COLUMNS = ("columns", "inputs", "input_data", "data")


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    """Give columns the same length, and tensors as many values as their shapes say, with the same number of rows."""
    if not isinstance(body, dict):
        return body
    for key in _COLUMNS:
        value = body.get(key)
        if isinstance(value, dict) and all(isinstance(one, list) for one in value.values()):
            shortest = min(map(len, value.values()), default=0)
            body = {**body, key: {name: one[:shortest] for name, one in value.items()}}
    inputs = body.get("inputs")
    if isinstance(inputs, list) and all(isinstance(one, dict) and one.get("shape") and one.get("data") for one in inputs):
        body = {**body, "inputs": [_fitted(one) for one in inputs]}
    return body


def _fitted(tensor: dict[str, Any]) -> dict[str, Any]:
    shape, data = tensor["shape"], tensor["data"]
    if not all(isinstance(size, int) for size in shape) or not isinstance(data, list):
        return tensor
    shape = [2, *(size if 0 <= size < 100 else 1 for size in shape[1:])]
    count = math.prod(shape)
    return {**tensor, "shape": shape, "data": (data * count)[:count]}
