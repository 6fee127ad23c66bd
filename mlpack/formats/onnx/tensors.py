"""TensorProto: a tensor's name and count of numbers, and the part of a file beside the model that holds them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod

from mlpack.formats.onnx.layouts import PAIR, SPARSE, TENSOR
from mlpack.formats.onnx.values import NAME
from mlpack.readers.encodings.protobuf import BYTES, Field, varints
from mlpack.readers.limits import CutOffError

_MOST_AXES = 64
_LARGEST = 1 << 48
_NUMBER = re.compile(r"[0-9]{1,18}")
_EXTERNAL = 1
# TensorProto.DataType -> bits of one number; texts and types of newer releases are not in files of numbers.
_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16, 17: 8, 18: 8,
    19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a file beside the model: its name as written, and the byte behind the last one that is read."""

    location: str
    end: int


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """What is known of a tensor without its numbers."""

    name: str
    count: int
    part: Part | None


def read_tensor(tensor: Field) -> TensorInfo:
    """A TensorProto. Raises CutOffError for one that is broken, or says two things of where its numbers lie."""
    name = ""
    dims: list[int] = []
    kind = place = 0
    external: dict[str, str] = {}
    for field in TENSOR.of(tensor.fields()):
        if field.number == 1:
            dims += _sizes(field)
        elif field.number == 2:
            kind = field.value
        elif field.number == 3:
            raise CutOffError("a tensor in it is one of several segments, which onnxruntime does not read")
        elif field.number == 8:
            name = field.text(NAME)
        elif field.number == 13:
            _read_entry(field, external)
        elif field.number == 14:
            place = field.value
        elif field.number in (4, 5, 6, 7, 10, 11):
            field.skip_run()
    if len(dims) > _MOST_AXES:
        raise CutOffError("a tensor in it has too many axes")
    count = prod(dims) if all(0 <= size < _LARGEST for size in dims) else 0
    return TensorInfo(
        name=name,
        count=min(count, _LARGEST),
        part=_part(external, kind, count) if external or place == _EXTERNAL else None,
    )


def read_sparse(tensor: Field) -> list[TensorInfo]:
    """A SparseTensorProto: its values, whose name is its own, and its indices."""
    return [read_tensor(field) for field in SPARSE.of(tensor.fields()) if field.number in (1, 2)]


def pair_of(field: Field) -> tuple[str, str]:
    """A StringStringEntryProto; a long text is replaced by its length."""
    key = text = ""
    for one in PAIR.of(field.fields()):
        if one.number == 1:
            key = one.text(NAME)
        else:
            text = one.text(NAME) if one.value <= NAME else f"({one.value} bytes)"
    return key, text


def _read_entry(field: Field, external: dict[str, str]) -> None:
    key, text = pair_of(field)
    if key in external:
        raise CutOffError(f"a tensor in it has {key[:40]!r} twice")
    external[key] = text


def _sizes(field: Field) -> list[int]:
    return varints(field.read(10 * _MOST_AXES)) if field.wire == BYTES else [field.value]


def _part(external: dict[str, str], kind: int, count: int) -> Part:
    numbers = [external.get(key, "0") for key in ("offset", "length")]
    if not all(_NUMBER.fullmatch(one) for one in numbers):
        raise CutOffError("the offset of a tensor in an external file is not a number")
    offset, length = map(int, numbers)
    return Part(location=external.get("location", ""), end=offset + (length or -(-count * _BITS.get(kind, 8) // 8)))
