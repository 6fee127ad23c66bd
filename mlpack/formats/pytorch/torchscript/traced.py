"""The inputs that a traced model was traced with: newer releases of torch keep their shapes in the archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlpack.artifacts.model import DTYPES, TensorSpec
from mlpack.formats.pytorch.archive import TorchArchive
from mlpack.formats.pytorch.tensors import mapping, tensor_of
from mlpack.formats.pytorch.torchscript.grouped import Group
from mlpack.readers.pickles.values import Instance


def traced_inputs(archive: TorchArchive, names: Sequence[str], groups: Mapping[str, Group]) -> dict[str, TensorSpec]:
    """A spec by name for each tensor that `forward` was traced with, rows first; {} when none are kept.

    Arguments that hold several learn from it which they are.
    """
    held = mapping(_untyped(archive.pickles.get("traced_inputs.pkl"))) or {}
    values = _untyped(held.get("forward"))
    if not isinstance(values, list | tuple):
        return {}
    found = {}
    parts: list[tuple[str, Any]] = []
    for name, value in zip(names, values, strict=False):
        plain = _untyped(value)
        parts += groups[name].trace(mapping(plain) or plain) if name in groups else [(name, plain)]
    for name, value in parts:
        tensor = tensor_of(_untyped(value))
        if tensor is not None and tensor.shape:
            dtype = tensor.dtype if tensor.dtype in DTYPES else "FP32"
            found[name] = TensorSpec(name=name, dtype=dtype, shape=(-1, *tensor.shape[1:]))
    return found


def _untyped(value: Any) -> Any:
    """A value without TorchScript's type tag around it."""
    while isinstance(value, Instance) and value.class_name == "torch.jit._pickle.restore_type_tag" and value.args:
        value = value.args[0]
    return value
