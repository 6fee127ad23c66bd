"""Hooks for schemathesis: what OpenAPI says in words, and JSON Schema cannot say, holds for the bodies that it generates."""

from __future__ import annotations

import math
from typing import Any

import schemathesis  # type: ignore[import-not-found]  # in an environment of its own: tests/contract/clients.txt

JSON = "application/json"
_COLUMNS = ("columns", "inputs", "input_data", "data")


@schemathesis.hook  # type: ignore[untyped-decorator]  # as above
def before_load_schema(_context: Any, schema: dict[str, Any]) -> None:
    """Leave out bodies that are not JSON: a schema cannot say what CSV or a tensor's bytes are."""
    for verbs in schema["paths"].values():
        for operation in verbs.values():
            content = operation.get("requestBody", {}).get("content", {})
            for media in [one for one in content if one != JSON]:
                del content[media]


@schemathesis.hook  # type: ignore[untyped-decorator]  # as above
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Of a valid request, give columns the same length, and tensors as many values and rows as their shapes say."""
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    body = case.body
    for key in _COLUMNS:
        value = body.get(key)
        if isinstance(value, dict) and all(isinstance(one, list) for one in value.values()):
            shortest = min(map(len, value.values()), default=0)
            body = {**body, key: {name: one[:shortest] for name, one in value.items()}}
    inputs = body.get("inputs")
    if isinstance(inputs, list) and all(
        isinstance(one, dict) and one.get("shape") and one.get("data") for one in inputs
    ):
        body = {**body, "inputs": [_fitted(one) for one in inputs]}
    case.body = body


def _fitted(tensor: dict[str, Any]) -> dict[str, Any]:
    shape, data = tensor["shape"], tensor["data"]
    shape = [2, *(int(size) if 0 <= size < 100 else 1 for size in shape[1:])]  # JSON Schema takes 4.0 for an integer
    if isinstance(data[0], list):  # nested: each is a row
        return {**tensor, "shape": shape, "data": (data * 2)[:2]}
    count = math.prod(shape)
    return {**tensor, "shape": shape, "data": (data * count)[:count]}
