"""The nodes and functions of a TensorFlow graph as data: operators, inputs, the functions that attributes name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mlpack.readers.encodings.protobuf import BYTES, FIXED32, VARINT, Field
from mlpack.readers.encodings.protobuf_layouts import Layout, entry
from mlpack.readers.limits import MIB, CutOffError

LONGEST_NAME = 64 * 1024
_DEEPEST = 20  # attributes of functions that are attributes
# Formats: tensorflow/core/framework/*.proto.
_NODE = Layout(what="NodeDef", one=dict.fromkeys((1, 2, 4, 6, 7), BYTES), many={3: BYTES, 5: BYTES})
_VALUE = Layout(
    what="AttrValue",
    one={1: BYTES, 2: BYTES, 3: VARINT, 4: FIXED32, 5: VARINT, 6: VARINT, 7: BYTES, 8: BYTES, 9: BYTES, 10: BYTES},
    choice=frozenset(range(1, 11)),
)
_LIST = Layout(
    what="AttrValue.ListValue",
    many={2: BYTES, 3: VARINT, 4: FIXED32, 5: VARINT, 6: VARINT, 7: BYTES, 8: BYTES, 9: BYTES},
)
_CALLED = Layout(what="NameAttrList", one={1: BYTES}, many={2: BYTES})
_ATTRIBUTE = entry("NodeDef.AttrEntry")
_FUNCTION = Layout(what="FunctionDef", one={1: BYTES}, many=dict.fromkeys((3, 4, 5, 6, 7, 8), BYTES))
_SIGNATURE = Layout(
    what="OpDef",
    one={**dict.fromkeys((1, 5, 6, 8), BYTES), **dict.fromkeys((16, 17, 18, 19, 21), VARINT)},
    many=dict.fromkeys((2, 3, 4, 20), BYTES),
)
_ARGUMENT = Layout(
    what="OpDef.ArgDef", one={**dict.fromkeys((1, 2, 4, 5, 6, 17), BYTES), 3: VARINT, 16: VARINT}, many={7: BYTES}
)
_TENSOR = Layout(
    what="TensorProto",
    one={1: VARINT, 2: BYTES, 3: VARINT, 4: BYTES, 18: BYTES},
    many={8: BYTES, 14: BYTES, 15: BYTES},
)
_VARIANTS = 15
# Attributes whose text decides what an operator does.
TELLING = frozenset({"output_stream", "descriptor_source", "vocab_file", "module"})


@dataclass(slots=True)
class Node:
    """A node: `inputs` as written, `calls` the functions that its attributes name, `texts` the relevant attributes."""

    name: str = ""
    op: str = ""
    inputs: list[str] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    texts: dict[str, bytes] = field(default_factory=dict)
    shared: bytes = b""  # the name by which a variable is found, also from other nodes
    variant: bool = False  # a constant that is an object of C++


@dataclass(slots=True)
class Function:
    """A function of the library: its arguments in their order, and its nodes by name."""

    name: str
    arguments: tuple[str, ...] = ()
    nodes: dict[str, Node] = field(default_factory=dict)

    @property
    def ops(self) -> set[str]:
        """Every operator in it."""
        return {node.op for node in self.nodes.values()}

    @property
    def calls(self) -> set[str]:
        """The functions that it calls, by attributes or as operators."""
        return self.ops.union(*(node.calls for node in self.nodes.values()))


def read_function(message: Field) -> Function:
    """A FunctionDef. Raises CutOffError for one that readers take for different functions."""
    function = Function(name="")
    for part in _FUNCTION.of(message.fields()):
        if part.number == 1:
            function.name, function.arguments = _signature(part)
        elif part.number == 3:
            node = read_node(part)
            if node.name in function.nodes:
                raise CutOffError(f"a function has two nodes of the name {node.name[:100]!r}")
            function.nodes[node.name] = node
    return function


def read_node(message: Field) -> Node:
    """A NodeDef. Raises CutOffError for one that readers take for different nodes."""
    node = Node()
    keys: set[str] = set()
    for part in _NODE.of(message.fields()):
        if part.number == 1:
            node.name = name_of(part)
        elif part.number == 2:
            node.op = name_of(part)
        elif part.number == 3:
            node.inputs.append(name_of(part))
        elif part.number == 5:
            _attribute(part, node, keys, 0)
    return node


def name_of(part: Field) -> str:
    """A name; raises CutOffError when it is far longer than one."""
    return part.text(LONGEST_NAME)


def entry_of(message: Field, layout: Layout) -> Iterator[tuple[str, Field | None]]:
    """The key and the value of a map's entry (None where it is the default), as the one pair of an iterator.

    The value is read before the iterator goes on. Raises CutOffError for a value before its key.
    """
    key = ""
    missing = True
    for part in layout.of(message.fields()):
        if part.number == 1:
            key = name_of(part)
        else:
            missing = False
            yield key, part
    if missing:
        yield key, None


def _signature(message: Field) -> tuple[str, tuple[str, ...]]:
    name = ""
    arguments: list[str] = []
    for part in _SIGNATURE.of(message.fields()):
        if part.number == 1:
            name = name_of(part)
        elif part.number == 2:
            arguments += [name_of(one) for one in _ARGUMENT.of(part.fields()) if one.number == 1]
    return name, tuple(arguments)


def _attribute(message: Field, node: Node, keys: set[str], depth: int) -> None:
    """One attribute of a node (depth 0), or of a function that one of its attributes names."""
    if depth > _DEEPEST:
        raise CutOffError("the functions that its attributes name are nested too deep")
    for key, attribute in entry_of(message, _ATTRIBUTE):
        if key in keys:
            raise CutOffError(f"a node has the attribute {key[:100]!r} twice")
        keys.add(key)
        for value in _VALUE.of(attribute.fields()) if attribute is not None else ():
            _value(value, key, node, depth)


def _value(value: Field, key: str, node: Node, depth: int) -> None:
    if value.number == 10:
        _called(value, node, depth)
    elif value.number == 2 and not depth and key == "shared_name":
        node.shared = value.read(LONGEST_NAME)
    elif value.number == 2 and not depth and key in TELLING:
        text = value.read(64 * MIB)
        if text:
            node.texts[key] = text
    elif value.number == 8:
        _tensor(value, node)
    elif value.number == 1:
        for one in _LIST.of(value.fields()):
            if one.number == 9:
                _called(one, node, depth)
            elif one.number == 8:
                _tensor(one, node)


def _tensor(message: Field, node: Node) -> None:
    node.variant = node.variant or any(one.number == _VARIANTS for one in _TENSOR.of(message.fields()))


def _called(message: Field, node: Node, depth: int) -> None:
    keys: set[str] = set()
    for part in _CALLED.of(message.fields()):
        if part.number == 1:
            node.calls.add(name_of(part))
        else:
            _attribute(part, node, keys, depth + 1)
