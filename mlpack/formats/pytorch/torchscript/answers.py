"""A TorchScript model's outputs by the names that the loader gives them: from the type of forward's answer, and its code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from mlpack.artifacts.model import DTYPES, TensorSpec
from mlpack.formats.pytorch.sampled_inputs import OPEN
from mlpack.formats.pytorch.torchscript.grouped import Record, parsed
from mlpack.formats.pytorch.torchscript.script import Script
from mlpack.formats.pytorch.torchscript.shapes import UNKNOWN, Flowing

_PLAIN = ("int", "float", "bool", "str", "number")
_DEEPEST = 20


class UnknownOutputsError(Exception):
    """Neither the type nor the code shows the number of tensors."""


class NoRowsError(Exception):
    """Something in the answer is no tensor: its type."""


def outputs_of(script: Script, returns: str, answer: Any) -> tuple[TensorSpec, ...]:
    """The outputs of an answer of this type. Raises UnknownOutputsError, or NoRowsError where a part of it is no tensor."""
    found = list(_leaves(script, parsed(returns), answer, "", 0))
    if not found:
        raise UnknownOutputsError
    return tuple(_spec(name or "output", value) for name, value in found)


def _leaves(script: Script, kind: ast.expr | None, value: Any, key: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Each tensor with its name: keys with dots between them, places with underscores."""
    if depth > _DEEPEST:
        raise UnknownOutputsError
    named = "" if kind is None else ast.unparse(kind)
    if named in _PLAIN or (isinstance(kind, ast.Subscript) and ast.unparse(kind.slice).rpartition(" ")[2] in _PLAIN):
        raise NoRowsError(named)
    parts = _parts(script, kind, value)
    if parts is None:
        if named not in ("Tensor", ""):
            raise UnknownOutputsError
        yield key, value
        return
    for name, inner, one in parts:
        below = f"{key or 'output'}_{name}" if isinstance(name, int) else f"{key}.{name}" if key else name
        yield from _leaves(script, inner, one, below if name != "" else key, depth + 1)


def _parts(script: Script, kind: ast.expr | None, value: Any) -> list[tuple[str | int, ast.expr | None, Any]] | None:
    """What a container holds: name or place, type, value; None of a tensor, and of what is not known."""
    if isinstance(kind, ast.Subscript):
        head, inside = ast.unparse(kind.value), kind.slice
        kinds = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        if head == "Optional":
            return [] if value is None else [("", inside, value)]
        if head == "Tuple":
            return [(place, one, _at(value, place, len(kinds))) for place, one in enumerate(kinds)]
        if head == "Dict" and isinstance(value, dict):
            return [(str(name), kinds[-1], one) for name, one in value.items()]
        if head == "List" and isinstance(value, list | tuple):
            return [(place, inside, one) for place, one in enumerate(value)]
        return None
    fields = script.record(ast.unparse(kind)) if isinstance(kind, ast.Attribute) else None
    if fields is not None:
        return [(name, parsed(type_), _at(value, n, len(fields))) for n, (name, type_) in enumerate(fields.items())]
    if isinstance(value, Record):
        return [(name, None, one) for name, one in zip(value.names, value, strict=True)]
    if isinstance(value, dict):
        return [(str(name), None, one) for name, one in value.items()]
    return [(place, None, one) for place, one in enumerate(value)] if isinstance(value, list | tuple) else None


def _at(value: Any, place: int, count: int) -> Any:
    return value[place] if isinstance(value, tuple | list) and len(value) == count else UNKNOWN


def _spec(name: str, value: Any) -> TensorSpec:
    dtype = value.dtype if isinstance(value, Flowing) and value.dtype in DTYPES else "FP32"
    known = isinstance(value, Flowing) and value.axes is not None
    return TensorSpec(name=name, dtype=dtype, shape=(-1, *value.axes[1:]) if known else (-1, OPEN))
