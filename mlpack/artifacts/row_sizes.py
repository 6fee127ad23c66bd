"""Sizes for the axes that a signature leaves open, for rows that are made without a sample."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlpack.artifacts.model import Signature, TensorSpec

_IMAGE = 224  # pixels: a multiple of 32, and what most networks for images were trained on
_TOKENS = 8
_STEPS = 16  # of a series with a fixed number of values at each step
_CHANNELS = (1, 3, 4)
_MOST = 4096  # pixels that metadata may ask for


def with_sizes(signature: Signature, image: Sequence[int] = ()) -> Signature:
    """The signature with sizes for its open axes; `image` is the height and width that the file's metadata name.

    An axis of the same symbol has the same size in every tensor.
    """
    if signature.layout != "tensors":
        return signature
    chosen: dict[str, int] = {}
    sizes: dict[str, tuple[int, ...]] = {}
    for spec in signature.inputs:
        axes = spec.shape[1:]
        if all(isinstance(size, int) and size >= 0 for size in axes) or "..." in axes:
            continue
        guessed = _guessed(spec, image)
        for axis, size in zip(axes, guessed, strict=True):
            if isinstance(axis, str):
                chosen.setdefault(axis, size)
        sizes[spec.name] = tuple(
            chosen[axis] if isinstance(axis, str) else size for axis, size in zip(axes, guessed, strict=True)
        )
    return replace(signature, sizes=sizes)


def image_size(metadata: Mapping[str, Any]) -> tuple[int, ...]:
    """The height and width in a model's metadata (`imgsz`, as Ultralytics writes it); () if there are none.

    A size is rounded up to a multiple of the metadata's `stride`.
    """
    sizes, stride = _numbers(metadata.get("imgsz")), _numbers(metadata.get("stride"))
    step = max(stride, default=1)
    if not 1 <= len(sizes) <= 2 or not all(0 < one <= _MOST for one in (*sizes, step)):
        return ()
    height, width = sizes[0], sizes[-1]
    return tuple(-(-one // step) * step for one in (height, width))


def _numbers(value: Any) -> list[int]:
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return []
    listed = found if isinstance(found, list) else [found]
    return [one for one in listed if type(one) is int] if all(type(one) is int for one in listed) else []


def _guessed(spec: TensorSpec, image: Sequence[int]) -> tuple[int, ...]:
    """The axes of one row, with a size for each open one."""
    axes = spec.shape[1:]
    free = [place for place, size in enumerate(axes) if not isinstance(size, int) or size < 0]
    sizes = [1 if place in free else int(size) for place, size in enumerate(axes)]
    if len(axes) == 3:
        last = 2 not in free and axes[2] in _CHANNELS  # height, width, channels
        height, width = (0, 1) if last else (1, 2)
        for place, size in zip((height, width), image or (_IMAGE, _IMAGE), strict=True):
            sizes[place] = size if place in free else sizes[place]
        if 0 in free and not last:
            sizes[0] = 3
    elif len(axes) == 2:
        for place in free:
            sizes[place] = _STEPS
    elif len(axes) == 1 and spec.dtype.startswith(("INT", "UINT")):
        sizes[0] = _TOKENS
    return tuple(sizes)
