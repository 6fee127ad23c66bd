"""saved_model.pb as data: the MetaGraph that serves, its signatures, and which operations its graph and functions hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mlpack.formats.savedmodel.parts import Functions
from mlpack.readers.limits import MIB, CutOffError
from mlpack.readers.protobuf import Field, fields, signed
from mlpack.readers.streams import Source

# TensorFlow's DataType enum (types.proto) -> Open Inference names; bfloat16 is served as FP32.
_DTYPES = {
    1: "FP32", 2: "FP64", 3: "INT32", 4: "UINT8", 5: "INT16", 6: "INT8", 7: "BYTES", 9: "INT64", 10: "BOOL", 14: "FP32",
    17: "UINT16", 19: "FP16", 22: "UINT32", 23: "UINT64",
}  # fmt: skip
# Operations that call functions of the library (control flow, datasets); of these the attributes are read.
_CALLS = (
    "Call",
    "If",
    "While",
    "Case",
    "For",
    "Dataset",
    "Defun",
    "BatchFunction",
    "Iterator",
    "Gradient",
    "Launch",
    "Xla",
)
_LONGEST_NAME = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A signature's tensor: `dtype` is "" for one that the protocol does not know, `shape` None when its rank is open.

    `node` is what computes it; `composite` says that it is ragged or sparse.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    node: str
    composite: bool = False


@dataclass(frozen=True, kw_only=True)
class Call:
    """One way to ask the graph, as its author named it."""

    name: str
    method: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass
class Function:
    """What a function (or the graph itself, named "") holds: operations by name, and the functions that they call."""

    name: str
    ops: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)


@dataclass
class Node:
    """A node of the graph itself."""

    name: str = ""
    op: str = ""
    inputs: list[str] = field(default_factory=list)
    calls: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)


@dataclass
class MetaGraph:
    """One of the graphs in the file."""

    tags: list[str] = field(default_factory=list)
    version: str = ""
    calls: list[Call] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    assets: list[str] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)  # what the objects in it call themselves: _tf_keras_network, optimizer
    composites: Functions = field(default_factory=Functions)

    @property
    def ops(self) -> set[str]:
        """Every operation that is in it."""
        return {node.op for node in self.nodes}.union(*(one.ops for one in self.functions.values()))


def read_graphs(source: Source) -> list[MetaGraph]:
    """Every MetaGraph of a saved_model.pb; constants and weights in it are stepped over.

    Format: tensorflow/core/protobuf/saved_model.proto. Raises CutOffError for what is broken, cut off, or out of proportion.
    """
    found = [_graph(one) for one in fields(source) if one.number == 2 and one.wire == 2]
    if not found:
        raise CutOffError("it holds no graph")
    return found


def _graph(message: Field) -> MetaGraph:
    graph = MetaGraph()
    for part in message.fields():
        if part.number == 1:
            _about(part, graph)
        elif part.number == 2:
            _definition(part, graph)
        elif part.number == 5:
            graph.calls.append(_call(part))
        elif part.number == 6:
            graph.assets += [_name(one) for one in part.fields() if one.number == 2]
        elif part.number == 7:
            _objects(part, graph)
    return graph


def _about(message: Field, graph: MetaGraph) -> None:
    for part in message.fields():
        if part.number == 4:
            graph.tags.append(_name(part))
        elif part.number == 5:
            graph.version = _name(part)


def _definition(message: Field, graph: MetaGraph) -> None:
    for part in message.fields():
        if part.number == 1:
            graph.nodes.append(_node(part, inputs=True))
        elif part.number == 2:
            for one in part.fields():
                if one.number == 1:
                    function = _function(one)
                    graph.functions[function.name] = function


def _function(message: Field) -> Function:
    function = Function(name="")
    for part in message.fields():
        if part.number == 1:
            function.name = next((_name(one) for one in part.fields() if one.number == 1), "")
        elif part.number == 3:
            node = _node(part, inputs=False)
            function.ops.add(node.op)
            function.calls |= node.calls | {node.op}
            function.ops |= {f"PrintV2 to {text}" for text in node.texts if text.startswith("file:")}
    return function


def _node(message: Field, *, inputs: bool) -> Node:
    node = Node()
    for part in message.fields():
        if part.number == 1:
            node.name = _name(part)
        elif part.number == 2:
            node.op = _name(part)
        elif part.number == 3 and inputs:
            node.inputs.append(_name(part).lstrip("^").partition(":")[0])
        elif part.number == 5 and (not node.op or node.op.startswith("Print") or any(one in node.op for one in _CALLS)):
            _attribute(part, node)
    return node


def _attribute(entry: Field, node: Node) -> None:
    """What an attribute tells that the verdict asks for: functions that are called, where something is printed."""
    for part in entry.fields():
        if part.number != 2:
            continue
        for value in part.fields():
            if value.number == 2 and value.wire == 2 and node.op.startswith("Print"):
                node.texts.append(value.text(MIB))
            elif value.number == 10:
                node.calls |= set(_called(value))
            elif value.number == 1 and value.wire == 2:
                for one in value.fields():
                    if one.number == 9:
                        node.calls |= set(_called(one))


def _called(message: Field) -> Iterator[str]:
    for part in message.fields():
        if part.number == 1:
            yield _name(part)


def _call(entry: Field) -> Call:
    name = method = ""
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    for part in entry.fields():
        if part.number == 1:
            name = _name(part)
        elif part.number == 2:
            for one in part.fields():
                if one.number == 1:
                    inputs.append(_tensor(one))
                elif one.number == 2:
                    outputs.append(_tensor(one))
                elif one.number == 3:
                    method = _name(one)
    inputs.sort(key=lambda tensor: tensor.name)
    outputs.sort(key=lambda tensor: tensor.name)
    return Call(name=name, method=method, inputs=tuple(inputs), outputs=tuple(outputs))


def _tensor(entry: Field) -> Tensor:
    name = node = dtype = ""
    shape: tuple[int, ...] | None = ()
    composite = False
    for part in entry.fields():
        if part.number == 1:
            name = _name(part)
        elif part.number == 2:
            for one in part.fields():
                if one.number == 1:
                    node = _name(one).partition(":")[0]
                elif one.number == 2:
                    dtype = _DTYPES.get(one.value, "")
                elif one.number == 3:
                    shape = _shape(one)
                elif one.number in (4, 5):
                    composite = True
    return Tensor(name=name, dtype=dtype, shape=shape, node=node, composite=composite)


def _shape(message: Field) -> tuple[int, ...] | None:
    lengths: list[int] = []
    for part in message.fields():
        if part.number == 3 and part.value:
            return None
        if part.number == 2:
            # A length of 0 is protobuf's default, and is not written.
            lengths.append(next((signed(one.value) for one in part.fields() if one.number == 1), 0))
    return tuple(lengths)


def _objects(message: Field, graph: MetaGraph) -> None:
    """The object graph: what its objects call themselves, and which functions take ragged or sparse tensors."""
    for part in message.fields():
        if part.number == 2:
            graph.composites.read_function(part)
        elif part.number == 1:
            for one in part.fields():
                if one.number == 4:
                    graph.kinds |= {_name(inner) for inner in one.fields() if inner.number == 1}
                elif one.number == 8:
                    graph.composites.read_bare(one)


def _name(part: Field) -> str:
    return part.text(_LONGEST_NAME)
