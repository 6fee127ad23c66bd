"""The inputs and outputs of an ONNX graph: Value, what a ValueInfoProto says of one."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.formats.onnx.layouts import TYPE, VALUE
from mlpack.readers.encodings.protobuf import BYTES, VARINT, Field
from mlpack.readers.limits import KIB

NAME = 4 * KIB  # bytes; longer names are no names
_KINDS = {1: "tensor", 4: "sequence", 5: "map", 8: "sparse tensor", 9: "optional"}


@dataclass(frozen=True, kw_only=True)
class Value:
    """An input or output: its `kind` (tensor, sequence, map ...) and, of a tensor, its elements' type and its axes.

    An axis is a length, a symbol, or -1 when unknown; `dims` is None when the rank is unknown.
    Of a sequence or a map `inner` is what it holds.
    """

    name: str
    kind: str
    element: int = 0
    dims: tuple[int | str, ...] | None = None
    inner: Value | None = None


def value_of(field: Field) -> Value:
    """What a ValueInfoProto says; raises CutOffError when it is broken or cut off."""
    name = ""
    found = Value(name="", kind="untyped")
    for one in VALUE.of(field.fields()):
        if one.number == 1:
            name = one.text(NAME)
        elif one.number == 2:
            found = _type(one)
    return Value(name=name, kind=found.kind, element=found.element, dims=found.dims, inner=found.inner)


def _type(field: Field) -> Value:
    found = Value(name="", kind="untyped")
    for one in TYPE.of(field.fields()):
        if one.number in _KINDS and one.wire == BYTES:
            found = _typed(one, _KINDS[one.number])
    return found


def _typed(field: Field, kind: str) -> Value:
    element = 0
    dims: tuple[int | str, ...] | None = None
    inner: Value | None = None
    for one in field.fields():
        if one.wire == VARINT and one.number == 1:
            element = one.value
        elif one.number == 2 and kind in ("tensor", "sparse tensor"):
            dims = tuple(_dim(axis) for axis in one.fields() if axis.number == 1)
        elif one.wire == BYTES and (one.number == 2 or (one.number == 1 and kind != "map")):
            inner = _type(one)
    return Value(name="", kind=kind, element=element, dims=dims, inner=inner)


def _dim(field: Field) -> int | str:
    for one in field.fields():
        if one.number == 1 and one.wire == VARINT:
            return one.signed if one.signed > 0 else -1
        if one.number == 2:
            return one.text(NAME) or -1
    return -1
