"""A valid request for a signature: for error messages, and for the warm-up when the card brings no sample."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple, Union

from ..card import Signature, TensorSpec

_UNKNOWN_AXIS = 1  # a size that the signature leaves open


def example(signature: Signature, number: float = 1) -> Any:
    """One instance that fits: `number` in every numeric place, a known category where the encoder has them."""
    if signature.layout == "matrix":
        spec = signature.inputs[0]
        width = spec.shape[-1]
        count = width if isinstance(width, int) and width >= 0 else len(signature.columns) or _UNKNOWN_AXIS
        values = [
            _value(spec.dtype, signature.categories.get(name, ()), number)
            for name in (signature.columns if len(signature.columns) == count else [""] * count)
        ]
        return dict(zip(signature.columns, values)) if len(signature.columns) == count else values
    record = {spec.name: _tensor(spec, signature.categories, number) for spec in signature.inputs}
    return next(iter(record.values())) if signature.layout == "tensors" and len(record) == 1 else record


def volume(signature: Signature) -> int:
    """How many values one instance takes, as far as the signature says."""
    whole = 0
    for spec in signature.inputs:
        values = 1
        for size in spec.shape[1:]:
            values *= size if isinstance(size, int) and size >= 0 else _UNKNOWN_AXIS
        whole += values
    return whole


def example_document(signature: Signature, sample: Sequence[Any]) -> Dict[str, List[Any]]:
    """A whole body for `/predict`: the sample's first row where there is one."""
    return {"instances": [sample[0] if sample else example(signature)]}


def _tensor(spec: TensorSpec, categories: Mapping[str, Sequence[Any]], number: float) -> Any:
    return _nested(_value(spec.dtype, categories.get(spec.name, ()), number), spec.shape[1:])


def _nested(value: Any, shape: Tuple[Union[int, str], ...]) -> Any:
    for size in reversed(shape):
        value = [value] * (size if isinstance(size, int) and size >= 0 else _UNKNOWN_AXIS)
    return value


def _value(dtype: str, categories: Sequence[Any], number: float) -> Any:
    kind = _KINDS.get(dtype, int)
    for category in categories:
        if type(category) is kind or (kind is float and type(category) is int):
            return category
    if kind is bool:
        return bool(number)
    return "a" if kind is str else kind(number)


_KINDS: Dict[str, type] = {"FP16": float, "FP32": float, "FP64": float, "BOOL": bool, "BYTES": str}
