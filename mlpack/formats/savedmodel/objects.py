"""The object graph of a SavedModel (saved_object_graph.proto): what loading makes of the graph's functions and assets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlpack.formats.savedmodel.nodes import entry_of, name_of
from mlpack.formats.savedmodel.parts import Functions
from mlpack.readers.encodings.protobuf import BYTES, VARINT, Field, varints
from mlpack.readers.encodings.protobuf_layouts import Layout, entry
from mlpack.readers.limits import CutOffError

_GRAPH = Layout(what="SavedObjectGraph", many={1: BYTES, 2: BYTES})
_KINDS = frozenset({4, 5, 6, 7, 8, 9, 10, 12})
_OBJECT = Layout(
    what="SavedObject",
    one=dict.fromkeys((*_KINDS, 13, 14, 16), BYTES),
    many=dict.fromkeys((1, 3, 11, 15), BYTES),
    choice=_KINDS,
)
_USER = Layout(what="SavedUserObject", one={1: BYTES, 2: BYTES, 3: BYTES})
_ASSET = Layout(what="SavedAsset", one={1: VARINT})
_FUNCTION = Layout(what="SavedFunction", one={2: BYTES}, many={1: BYTES})
_BARE = Layout(what="SavedBareConcreteFunction", one={1: BYTES, 3: VARINT, 4: BYTES}, many={2: BYTES})
_CONCRETE = Layout(what="SavedConcreteFunction", one={3: BYTES, 4: BYTES}, many={2: VARINT})
_ENTRY = entry("SavedObjectGraph's entry")


@dataclass
class Objects:
    """What the objects call themselves, the functions that loading or a user can call, and what is bound to them.

    `assets` are the numbers of the asset files by the number of their object; `bound` the numbers of the objects that are a
    function's last arguments.
    """

    kinds: set[str] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    assets: dict[int, int] = field(default_factory=dict)
    bound: dict[str, Sequence[int]] = field(default_factory=dict)
    composites: Functions = field(default_factory=Functions)


def read_objects(message: Field) -> Objects:
    """A SavedObjectGraph. Raises CutOffError for one that readers understand differently."""
    objects = Objects()
    number = 0
    for part in _GRAPH.of(message.fields()):
        if part.number == 1:
            _object(part, number, objects)
            number += 1
        else:
            _concrete(part, objects)
    return objects


def _object(message: Field, number: int, objects: Objects) -> None:
    for part in _OBJECT.of(message.fields()):
        if part.number == 4:
            objects.kinds |= {name_of(one) for one in _USER.of(part.fields()) if one.number == 1}
        elif part.number == 5:
            objects.assets[number] = next((one.signed for one in _ASSET.of(part.fields())), 0)
        elif part.number == 6:
            objects.functions |= {name_of(one) for one in _FUNCTION.of(part.fields()) if one.number == 1}
        elif part.number == 8:
            name, keywords = "", set()
            for one in _BARE.of(part.fields()):
                if one.number == 1:
                    name = name_of(one)
                elif one.number == 2:
                    keywords.add(name_of(one))
            objects.functions.add(name)
            objects.composites.keywords[name] = frozenset(keywords)


def _concrete(pair: Field, objects: Objects) -> None:
    for name, function in entry_of(pair, _ENTRY):
        if name in objects.bound:
            raise CutOffError(f"it describes the function {name[:100]!r} twice")
        objects.functions.add(name)
        bound: list[int] = []
        for one in _CONCRETE.of(function.fields()) if function is not None else ():
            if one.number == 2:
                bound += varints(one.read()) if one.wire == BYTES else [one.value]
            elif one.number == 3:
                objects.composites.read_signature(name, one)
        objects.bound[name] = bound
