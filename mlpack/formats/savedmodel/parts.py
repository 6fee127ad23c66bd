"""Ragged and sparse arguments in a SavedModel, which a signature lists only as several plain tensors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mlpack.readers.encodings.protobuf import Field
from mlpack.readers.limits import CutOffError

_KINDS = {1: "sparse", 3: "ragged"}  # struct.proto: TypeSpecProto.TypeSpecClass
_DEEPEST = 30


@dataclass
class Functions:
    """The functions of the object graph (saved_object_graph.proto): which take composite tensors, and their flat arguments."""

    composite: dict[str, str] = field(default_factory=dict)  # a function's name -> ragged or sparse
    keywords: dict[str, frozenset[str]] = field(default_factory=dict)  # a function's name -> its flat arguments

    def kind_of(self, names: Iterable[str]) -> str:
        """`ragged` or `sparse` if a function takes such a tensor by exactly these names; else ""."""
        wanted = frozenset(names)
        return next((kind for name, kind in self.composite.items() if self.keywords.get(name) == wanted), "")

    def read_signature(self, name: str, arguments: Field) -> None:
        """The arguments of a function, a StructuredValue."""
        kind = next(_kinds(arguments, 0), "")
        if kind:
            self.composite[name] = kind


def _kinds(value: Field, depth: int) -> Iterator[str]:
    """The kinds of composite tensors in a StructuredValue."""
    if depth > _DEEPEST:
        raise CutOffError("its functions' arguments are nested too deep")
    for part in value.fields():
        if part.number == 34:
            yield from (_KINDS[one.value] for one in part.fields() if one.number == 1 and one.value in _KINDS)
        elif part.number in (51, 52):  # a list, a tuple
            for one in part.fields():
                yield from _kinds(one, depth + 1)
        elif part.number in (53, 54):  # a dict, a named tuple
            for one in _values(part, 1 if part.number == 53 else 2):
                yield from _kinds(one, depth + 1)


def _values(message: Field, number: int) -> Iterator[Field]:
    """The values of the pairs that are this field of a message."""
    for pair in message.fields():
        if pair.number == number and pair.wire == 2:
            yield from (one for one in pair.fields() if one.number == 2)
