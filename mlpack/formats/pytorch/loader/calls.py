"""Calls of a module: arrays in, arrays out, for any number of rows."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch

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
    specs = {spec.name: spec for spec in signature.inputs}
    given = {name: _filled(model, specs.get(name), name, array) for name, array in inputs.items()}
    answer = model.ask(given)
    return {signature.outputs[0].name: _rows_of(answer)} if model.listed else _arrays(answer, signature)


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
            for place, value in zip(places, array):
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
        parts.append({name: array[:have] for name, array in _asked(model, signature, part).items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _arrays(answer: Any, signature: Any) -> Dict[str, Any]:
    """An answer as arrays by the signature's names: a tensor, a sequence of them, a dict, or any of these nested."""
    names = [spec.name for spec in signature.outputs]
    told = _flat(answer, "")
    if len(told) == 1:
        return {names[0] if names else "output": _array(told[0][1])}
    by_key = dict(told)
    if names and set(names) <= set(by_key):
        return {name: _array(by_key[name]) for name in names}
    if len(names) == len(told):
        return {name: _array(value) for name, (_, value) in zip(names, told)}
    return {key or f"output_{place}": _array(value) for place, (key, value) in enumerate(told)}


def _rows_of(answer: Sequence[Any]) -> Any:
    """A list of plain values as an array of its entries, each as it is."""
    rows = np.empty(len(answer), dtype=object)
    for place, one in enumerate(answer):
        rows[place] = one
    return rows


def _flat(answer: Any, key: str) -> List[Tuple[str, Any]]:
    if isinstance(answer, Mapping):
        return [pair for name, value in answer.items() for pair in _flat(value, f"{key}.{name}" if key else str(name))]
    if hasattr(answer, "_asdict"):
        return _flat(answer._asdict(), key)
    if isinstance(answer, (list, tuple)):
        pairs: Sequence[Any] = list(enumerate(answer))
        return [pair for place, one in pairs for pair in _flat(one, f"{key or 'output'}_{place}")]
    return [] if answer is None else [(key, answer)]


def _array(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):
        return np.asarray(value)
    value = value.detach().cpu()
    if value.is_quantized:
        value = value.dequantize()
    if value.dtype == torch.bfloat16:  # numpy has none
        value = value.float()
    return value.resolve_conj().resolve_neg().numpy() if hasattr(value, "resolve_conj") else value.numpy()
