"""A valid request for a signature: for error messages, and for the warm-up when the card brings no sample."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, Dict, Iterator, List, Sequence, Tuple, Union

import numpy as np

from ..card import Signature, TensorSpec
from ..models.predictor import Arrays
from .encoding.dates import example_date
from .encoding.fitting import NUMPY

_UNKNOWN_AXIS = 1  # a size that the signature leaves open
# Sizes that networks are commonly made for: tokens, pixels, samples of sound.
_PLAUSIBLE = (1, 2, 8, 16, 28, 32, 64, 96, 128, 224, 256, 299, 320, 384, 512, 640, 16000)
_MOST_VALUES = 4_000_000
_MOST_SHOWN = 1000  # values


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


def other_sizes(signature: Signature) -> Iterator[Arrays]:
    """Inputs of one row with other sizes for the axes that the signature leaves open; nothing where it leaves none open."""
    open_axes = [size for spec in signature.inputs for size in spec.shape[1:] if not _is_fixed(size)]
    if signature.layout != "tensors" or not open_axes or any(spec.dtype == "BYTES" for spec in signature.inputs):
        return
    for length in _PLAUSIBLE:
        shapes = {
            spec.name: (1, *(size if isinstance(size, int) and size >= 0 else length for size in spec.shape[1:]))
            for spec in signature.inputs
        }
        if sum(prod(shape) for shape in shapes.values()) <= _MOST_VALUES:
            yield {
                spec.name: np.full(shapes[spec.name], 0.5 if spec.dtype.startswith("FP") else 0, NUMPY[spec.dtype])
                for spec in signature.inputs
            }


def _is_fixed(size: Union[int, str]) -> bool:
    return isinstance(size, int) and size >= 0


def example_document(signature: Signature, sample: Sequence[Any]) -> Dict[str, List[Any]]:
    """A whole body for `/predict`: the sample's first row where there is one.

    Error messages show it, so large sizes that are only guessed are left at 1.
    """
    if not sample and signature.sizes and volume(signature) > _MOST_SHOWN:
        signature = replace(signature, sizes={})
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
