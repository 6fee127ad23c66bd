"""Tensors in torch's pickles: names, shapes and dtypes of a state dict, without reading weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from mlpack.readers.pickles.contents import pairs
from mlpack.readers.pickles.values import Global, Instance, PersistentId

# torch's storage classes and dtypes -> Open Inference names where there is one, else torch's own word.
DTYPES = {
    "Float": "FP32", "Double": "FP64", "Half": "FP16", "BFloat16": "BF16", "Long": "INT64", "Int": "INT32",
    "Short": "INT16", "Char": "INT8", "Byte": "UINT8", "Bool": "BOOL", "UInt16": "UINT16", "UInt32": "UINT32",
    "UInt64": "UINT64", "ComplexFloat": "complex64", "ComplexDouble": "complex128", "QInt8": "qint8", "QUInt8": "quint8",
    "QInt32": "qint32",
    "float32": "FP32", "float64": "FP64", "float16": "FP16", "bfloat16": "BF16", "int64": "INT64", "int32": "INT32",
    "int16": "INT16", "int8": "INT8", "uint8": "UINT8", "bool": "BOOL", "uint16": "UINT16", "uint32": "UINT32",
    "uint64": "UINT64",
}  # fmt: skip
_WRAPPERS = ("_rebuild_parameter", "_rebuild_parameter_with_state", "_rebuild_from_type_v2")
_MOST_AXES = 32


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor in a file: its dtype (an Open Inference name, or torch's), its shape, and the device it was saved from."""

    dtype: str
    shape: tuple[int, ...]
    device: str = "cpu"

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return prod(self.shape)

    @property
    def described(self) -> str:
        """It in a few words: `FP32 64x3x7x7`."""
        return f"{self.dtype} {'x'.join(map(str, self.shape))}".strip()


def tensor_of(value: Any) -> Tensor | None:
    """The tensor that a pickled value would become; None when it is none."""
    for _ in range(4):  # a parameter wraps a tensor
        if not isinstance(value, Instance) or not isinstance(value.callable, Global):
            return None
        name, args = value.callable.name, value.args
        if name in _WRAPPERS and args:
            inner = args[0]
            if name == "_rebuild_from_type_v2" and len(args) > 2 and isinstance(args[2], tuple):
                inner = Instance(args[0], args[2])
            value = inner
            continue
        return _rebuilt(name, args)
    return None


def _rebuilt(name: str, args: tuple[Any, ...]) -> Tensor | None:
    if name in ("_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_qtensor", "_rebuild_tensor_v3") and len(args) > 2:
        storage, shape = args[0], _shape(args[2])
        if shape is None or not isinstance(storage, PersistentId):
            return None
        dtype, device = _storage(storage.pid)
        if name == "_rebuild_tensor_v3" and len(args) > 6 and isinstance(args[6], Global):
            dtype = _dtype(args[6].name)
        return Tensor(dtype=dtype, shape=shape, device=device)
    if name == "_rebuild_sparse_tensor" and len(args) > 1 and isinstance(args[1], tuple) and len(args[1]) > 2:
        values = [tensor_of(one) for one in args[1]]
        tensor = next((one for one in reversed(values) if one is not None), None)
        shape = next((found for one in args[1] if (found := _shape(_size(one))) is not None), None)
        return None if tensor is None or shape is None else Tensor(dtype=tensor.dtype, shape=shape)
    if name == "_rebuild_meta_tensor_no_storage" and len(args) > 1 and isinstance(args[0], Global):
        shape = _shape(args[1])
        return None if shape is None else Tensor(dtype=_dtype(args[0].name), shape=shape, device="meta")
    return None


def _storage(pid: Any) -> tuple[str, str]:
    kind = pid[1] if isinstance(pid, tuple) and len(pid) > 1 else None
    device = pid[3] if isinstance(pid, tuple) and len(pid) > 3 and isinstance(pid[3], str) else "cpu"
    return _dtype(kind.name.removesuffix("Storage")) if isinstance(kind, Global) else "unknown", device


def _dtype(name: str) -> str:
    return DTYPES.get(name, name)


def _size(value: Any) -> Any:
    return value.args[0] if isinstance(value, Instance) and value.class_name == "torch.Size" and value.args else None


def _shape(value: Any) -> tuple[int, ...] | None:
    value = _size(value) or value
    if not isinstance(value, tuple | list) or len(value) > _MOST_AXES:
        return None
    return tuple(value) if all(isinstance(one, int) and one >= 0 for one in value) else None


def held_in(value: Any) -> dict[str, Any]:
    """What a saved dictionary, list or tuple holds, by key or place; {} for anything else."""
    if isinstance(value, list | tuple):
        return {str(place): one for place, one in enumerate(value)}
    return {str(key): one for key, one in (mapping(value) or {}).items()}


def mapping(value: Any) -> dict[str, Any] | None:
    """A dict or OrderedDict of the pickle with text keys; None for anything else."""
    found = pairs(value) if isinstance(value, dict | Instance) else None
    if found == [] and isinstance(value, Instance) and value.args and isinstance(value.args[0], list):
        # Python 2 wrote an OrderedDict as a call with a list of its pairs.
        found = [(str(one[0]), one[1]) for one in value.args[0] if isinstance(one, list | tuple) and len(one) == 2]
    return None if found is None else dict(found)


def state_dict_of(value: Any) -> dict[str, Tensor] | None:
    """The tensors of a state dict by name, in its order; None when it is something else.

    A few entries that are no tensors are allowed, as quantized layers and counters leave them.
    """
    inside = mapping(value)
    if not inside:
        return None
    tensors = {name: tensor for name, one in inside.items() if (tensor := tensor_of(one)) is not None}
    return tensors if tensors and len(tensors) * 2 > len(inside) else None


def parameters_of(module: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """The parameters and buffers of a pickled nn.Module by their dotted names."""
    if depth > 50:
        return
    attributes = module.attributes() if isinstance(module, Instance) else {}
    for held in ("_parameters", "_buffers"):
        for name, value in (mapping(attributes.get(held)) or {}).items():
            if (tensor := tensor_of(value)) is not None:
                yield f"{prefix}{name}", tensor
    for name, child in (mapping(attributes.get("_modules")) or {}).items():
        yield from parameters_of(child, f"{prefix}{name}.", depth + 1)


def summary(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """A summary of tensors as JSON values: their number, the number of values, the dtypes, the first names."""
    return {
        "tensors": len(tensors),
        "parameters": sum(one.size for one in tensors.values()),
        "dtypes": sorted({one.dtype for one in tensors.values()}),
        "first_tensors": {name: one.described for name, one in list(tensors.items())[:20]},
    }
