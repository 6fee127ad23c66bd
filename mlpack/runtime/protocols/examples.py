"""A valid request for a signature: for error messages, and for the warm-up when the card brings no sample."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple, Union

from ..card import Signature, TensorSpec
from .encoding.dates import example_date

_UNKNOWN_AXIS = 1  # a size that the signature leaves open


def example(signature: Signature, number: float = 1) -> Any:
    """One instance that fits: a value that the signature names, or a known category, else `number`."""
    if signature.objects:
        return dict(signature.example) or {"key": "a"}
    if signature.layout == "matrix":
        spec = signature.inputs[0]
        width = spec.shape[-1]
        count = width if isinstance(width, int) and width >= 0 else len(signature.columns) or _UNKNOWN_AXIS
        names = signature.columns if len(signature.columns) == count else [""] * count
        values = [_value(signature, name, spec.dtype, number) for name in names]
        return dict(zip(signature.columns, values)) if len(signature.columns) == count else values
    record = {spec.name: _tensor(signature, spec, number) for spec in signature.inputs}
    return next(iter(record.values())) if signature.layout == "tensors" and len(record) == 1 else record


def volume(signature: Signature) -> int:
    """How many values one instance takes, as far as the signature says."""
    whole = 0
    for spec in signature.inputs:
        values = 1
        for size in _sizes(signature, spec):
            values *= size
        whole += values
    return whole


def example_document(signature: Signature, sample: Sequence[Any]) -> Dict[str, List[Any]]:
    """A whole body for `/predict`: the sample's first row where there is one."""
    return {"instances": [sample[0] if sample else example(signature)]}


def _tensor(signature: Signature, spec: TensorSpec, number: float) -> Any:
    value = _value(signature, spec.name, spec.dtype, number)
    for size in reversed(_sizes(signature, spec)):
        value = [value] * size
    return value


def _sizes(signature: Signature, spec: TensorSpec) -> Tuple[int, ...]:
    """The sizes of one row's axes; those that the shape leaves open are the signature's, else 1."""
    axes: Tuple[Union[int, str], ...] = spec.shape[1:]
    told = signature.sizes.get(spec.name, ())
    chosen = told if len(told) == len(axes) else (_UNKNOWN_AXIS,) * len(axes)
    return tuple(size if isinstance(size, int) and size >= 0 else own for size, own in zip(axes, chosen))


def _value(signature: Signature, name: str, dtype: str, number: float) -> Any:
    if name in signature.dates:
        return example_date(signature.dates[name])
    told = [signature.example[name]] if name in signature.example else []
    kind = _KINDS.get(dtype, int)
    if dtype == "BYTES" and told:  # a text, or {"b64": ...}
        return told[0]
    for value in (*told, *signature.categories.get(name, ())):
        if type(value) is kind or (kind is float and type(value) is int):
            return value
    if kind is bool:
        return bool(number)
    return "a" if kind is str else kind(number)


_KINDS = {"FP16": float, "FP32": float, "FP64": float, "BOOL": bool, "BYTES": str}
