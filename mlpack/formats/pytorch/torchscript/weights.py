"""The tensors in a TorchScript archive: parameters, buffers and constants."""

from __future__ import annotations

from typing import Any

from mlpack.formats.pytorch.archive import TorchArchive
from mlpack.formats.pytorch.tensors import Tensor, tensor_of
from mlpack.readers.pickles.values import Instance


def tensors_in(root: Any, prefix: str = "", depth: int = 0) -> list[tuple[str, Tensor]]:
    """The module's parameters and buffers, by their names."""
    if not isinstance(root, Instance) or depth > 50:
        return []
    found: list[tuple[str, Tensor]] = []
    for name, value in root.attributes().items():
        if (tensor := tensor_of(value)) is not None:
            found.append((f"{prefix}{name}", tensor))
        elif isinstance(value, Instance):
            found += tensors_in(value, f"{prefix}{name}.", depth + 1)
    return found


def constants_of(archive: TorchArchive) -> tuple[Any, ...]:
    """The tensors that tracing or freezing put into the code."""
    held = archive.pickles.get("constants.pkl")
    return tuple(held) if isinstance(held, tuple | list) else ()


def floating(tensors: dict[str, Tensor]) -> str:
    """The floating dtype of the first weight, for converting the arrays of requests."""
    first = next((one.dtype for one in tensors.values() if one.dtype in ("FP32", "FP64", "FP16", "BF16")), "FP32")
    return {"FP64": "float64", "FP16": "float16", "BF16": "bfloat16"}.get(first, "float32")
