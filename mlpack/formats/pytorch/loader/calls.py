"""Calls of a module: arrays in, arrays out, for any number of rows."""

from __future__ import annotations

from typing import Any, Callable, Dict, FrozenSet, List, Mapping, Optional, Tuple

import numpy as np
import torch

from .answers import arrays_of, has_lists, lists_by_row, rows_of

_FLOATS = {"FP16": torch.float16, "FP32": torch.float32, "FP64": torch.float64}


class Model:
    """A module and how it is called: `ask` takes tensors by name; `dtype` is what its floating inputs are cast to."""

    def __init__(self, ask: Callable[[Mapping[str, Any]], Any], module: Any, options: Mapping[str, Any]) -> None:
        self.ask, self.module = ask, module
        self.dtype = getattr(torch, str(options.get("dtype") or ""), None)
        self.kinds = {one["name"]: one["kind"] for one in options.get("arguments") or () if "parts" not in one}
        self.least = int(options.get("min_rows") or 1)
        self.most: Optional[int] = options.get("max_rows")
        self.listed = bool(options.get("listed"))  # it answers a list with one entry a row
        self.by_row: Optional[FrozenSet[str]] = None  # lists with one entry a row, once they are known


def predict(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """The signature's outputs as arrays."""
    rows = len(next(iter(inputs.values()))) if signature.batch == "any" else 1
    with torch.inference_mode():
        if signature.batch == "any" and any(kind == "scalar" for kind in model.kinds.values()):
            return _by_scalars(model, signature, inputs, rows)
        if signature.batch == "any" and (rows < model.least or (model.most is not None and rows > model.most)):
            return _in_parts(model, signature, inputs, rows)
        return _asked(model, signature, inputs)


def _asked(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Dict[str, Any]:
    """One call: arrays in, arrays out."""
    names = [spec.name for spec in signature.outputs]
    answer = _answer(model, signature, inputs)
    if model.listed:
        return {names[0]: rows_of(answer)}
    if signature.batch != "any":
        return arrays_of(answer, names)
    rows = len(next(iter(inputs.values())))
    if model.by_row is None:
        model.by_row = _lists_by_row(model, signature, inputs, answer) if has_lists(answer, rows) else frozenset()
    return arrays_of(answer, names, model.by_row)


def _answer(model: Model, signature: Any, inputs: Mapping[str, Any]) -> Any:
    specs = {spec.name: spec for spec in signature.inputs}
    return model.ask({name: _filled(model, specs.get(name), name, array) for name, array in inputs.items()})


def _with_rows(array: Any, rows: int) -> Any:
    """A part's answer with the axis of the rows, which `squeeze()` takes away where there is one row only."""
    return array[np.newaxis] if rows == 1 and array.shape[:1] != (1,) else array


def _lists_by_row(model: Model, signature: Any, inputs: Mapping[str, Any], answer: Any) -> FrozenSet[str]:
    """The lists that have an entry a row: they are as long as the rows also if these are one more."""
    if model.most is not None:
        return frozenset()
    more = {name: np.concatenate([array, array[-1:]]) for name, array in inputs.items()}
    rows = len(next(iter(inputs.values())))
    try:
        other = _answer(model, signature, more)
    except Exception:  # noqa: BLE001 - a module of the user's own that takes only so many rows
        return frozenset()
    return frozenset(lists_by_row(answer, rows, other, rows + 1))


def _filled(model: Model, spec: Any, name: str, array: Any) -> Any:
    """An argument of the module's own kind: a tensor, a plain value, or a list of them."""
    kind = model.kinds.get(name, "tensor")
    if kind == "scalar":
        return array.reshape(-1)[0].item() if array.dtype != object else array.reshape(-1)[0]
    if kind == "list":
        return array.tolist()
    tensor = torch.from_numpy(np.array(array, order="C"))  # a copy: the model may write into it
    if tensor.is_floating_point() and model.dtype is not None and (spec is None or spec.dtype in _FLOATS):
        wanted = _FLOATS.get(spec.dtype, model.dtype) if spec is not None else model.dtype
        return tensor.to(model.dtype if wanted == torch.float32 else wanted)
    return tensor


def _by_scalars(model: Model, signature: Any, inputs: Mapping[str, Any], rows: int) -> Dict[str, Any]:
    """Rows with the same plain values are asked together: a call has room for one of each."""
    plain = [name for name in inputs if model.kinds.get(name) == "scalar"]
    groups: Dict[Tuple[Any, ...], List[int]] = {}
    for row in range(rows):
        groups.setdefault(tuple(inputs[name][row] for name in plain), []).append(row)
    if len(groups) == 1:
        return _asked(model, signature, inputs)
    answers: Dict[str, List[Any]] = {}
    for places in groups.values():
        told = _asked(model, signature, {name: array[places] for name, array in inputs.items()})
        for name, array in told.items():
            rest = answers.setdefault(name, [None] * rows)
            for place, value in zip(places, _with_rows(array, len(places))):
                rest[place] = value
    return {name: np.stack(values) for name, values in answers.items()}


def _in_parts(model: Model, signature: Any, inputs: Mapping[str, Any], rows: int) -> Dict[str, Any]:
    """A program that was exported for so many rows and no others: more are asked in parts, fewer with the last repeated."""
    step = model.most or rows
    parts: List[Dict[str, Any]] = []
    for start in range(0, rows, step):
        part = {name: array[start : start + step] for name, array in inputs.items()}
        have = len(next(iter(part.values())))
        short = max(0, model.least - have)
        if short:
            part = {name: np.concatenate([array, np.repeat(array[-1:], short, axis=0)]) for name, array in part.items()}
        told = _asked(model, signature, part)
        parts.append({name: _with_rows(array, have + short)[:have] for name, array in told.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
