"""saved_model.pb as data: the MetaGraph that serves, its signatures, and which operations its graph and functions hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mlpack.formats.savedmodel.nodes import Function, Node, entry_of, name_of, read_function, read_node
from mlpack.formats.savedmodel.objects import Objects, read_objects
from mlpack.readers.encodings.protobuf import BYTES, FIXED32, VARINT, Field, fields, signed
from mlpack.readers.encodings.protobuf_layouts import Layout, entry
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import Source

# TensorFlow's DataType enum (types.proto) -> Open Inference names; bfloat16 is served as FP32.
_DTYPES = {
    1: "FP32", 2: "FP64", 3: "INT32", 4: "UINT8", 5: "INT16", 6: "INT8", 7: "BYTES", 9: "INT64", 10: "BOOL", 14: "FP32",
    17: "UINT16", 19: "FP16", 22: "UINT32", 23: "UINT64",
}  # fmt: skip
_META = Layout(what="MetaGraphDef", one=dict.fromkeys((1, 2, 3, 7), BYTES), many=dict.fromkeys((4, 5, 6), BYTES))
_MODEL = Layout(what="SavedModel", one={1: VARINT}, many={2: BYTES})
_ABOUT = Layout(what="MetaInfoDef", one={**dict.fromkeys((1, 2, 3, 5, 6), BYTES), 7: VARINT}, many={4: BYTES, 8: BYTES})
_GRAPH = Layout(what="GraphDef", one={2: BYTES, 3: VARINT, 4: BYTES, 5: BYTES}, many={1: BYTES})
_LIBRARY = Layout(what="FunctionDefLibrary", many={1: BYTES, 2: BYTES, 3: BYTES})
_GRADIENT = Layout(what="GradientDef", one={1: BYTES, 2: BYTES})
_SAVER = Layout(
    what="SaverDef", one={**dict.fromkeys((1, 2, 3), BYTES), **dict.fromkeys((4, 5, 7), VARINT), 6: FIXED32}
)
_COLLECTION = Layout(what="CollectionDef", one=dict.fromkeys(range(1, 6), BYTES), choice=frozenset(range(1, 6)))
_NAMES = Layout(what="CollectionDef's list", many={1: BYTES})
_SIGNATURE = Layout(what="SignatureDef", one={3: BYTES}, many=dict.fromkeys((1, 2, 4), BYTES))
_TENSOR = Layout(
    what="TensorInfo",
    one={1: BYTES, 2: VARINT, 3: BYTES, 4: BYTES, 5: BYTES},
    choice=frozenset({1, 4, 5}),
)
_SHAPE = Layout(what="TensorShapeProto", one={3: VARINT}, many={2: BYTES})
_ASSET = Layout(what="AssetFileDef", one={1: BYTES, 2: BYTES})
_ANY = Layout(what="Any", one={1: BYTES, 2: BYTES})
_SPARSE = Layout(what="TensorInfo.CooSparse", one={1: BYTES, 2: BYTES, 3: BYTES})
_COMPOSITE = Layout(what="TensorInfo.CompositeTensor", one={1: BYTES}, many={2: BYTES})
_ENTRY = entry("map's entry")
_ASSETS = "saved_model_assets"
_DEEPEST = 20
_SAVERS_OWN = "savers"  # the collection that lists the savers themselves


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A signature's tensor: `dtype` is "" for one that the protocol does not know, `shape` None when its rank is open.

    `node` is what computes it; `composite` says that it is ragged or sparse, and `parts` are the nodes of its parts.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    node: str
    composite: bool = False
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Call:
    """One way to ask the graph, as its author named it."""

    name: str
    method: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class Saver:
    """What restores the model's variables when it is loaded: the tensor that is given their place, and the operation."""

    filename: str = ""
    restore: str = ""


@dataclass
class MetaGraph:
    """One of the graphs in the file."""

    tags: list[str] = field(default_factory=list)
    version: str = ""
    calls: list[Call] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    gradients: dict[str, str] = field(default_factory=dict)
    asset_files: list[tuple[str, str]] = field(default_factory=list)  # a name, and the node that becomes the path
    # assets as version 1 wrote them, read where there are no others
    older_assets: list[tuple[str, str]] = field(default_factory=list)
    saver: Saver = field(default_factory=Saver)
    collections: set[str] = field(default_factory=set)
    collected: list[bytes] = field(default_factory=list)  # what these name: operations that loading runs, variables
    objects: Objects = field(default_factory=Objects)

    @property
    def assets(self) -> list[str]:
        """The names of the asset files."""
        return [name for name, _ in self.asset_files or self.older_assets]

    @property
    def asset_nodes(self) -> list[str]:
        """The nodes that become the assets' paths, in the same order."""
        return [node for _, node in self.asset_files or self.older_assets]

    @property
    def ops(self) -> set[str]:
        """Every operation that is in it."""
        return {node.op for node in self.nodes}.union(*(one.ops for one in self.functions.values()))


def read_graphs(source: Source) -> list[MetaGraph]:
    """Every MetaGraph of a saved_model.pb; constants and weights in it are stepped over.

    Format: tensorflow/core/protobuf/saved_model.proto. Raises CutOffError for what is broken, cut off, or out of proportion.
    """
    found = [_graph(one) for one in _MODEL.of(fields(source)) if one.number == 2]
    if not found:
        raise CutOffError("it holds no graph")
    if len({frozenset(one.tags) for one in found}) < len(found):
        raise CutOffError("it holds two graphs with the same tags")
    return found


def _graph(message: Field) -> MetaGraph:
    graph = MetaGraph()
    for part in _META.of(message.fields()):
        if part.number == 1:
            _about(part, graph)
        elif part.number == 2:
            _definition(part, graph)
        elif part.number == 3:
            texts = {one.number: name_of(one) for one in _SAVER.of(part.fields()) if one.number in (1, 3)}
            graph.saver = Saver(filename=node_of(texts.get(1, "")), restore=node_of(texts.get(3, "")))
        elif part.number == 4:
            _collection(part, graph)
        elif part.number == 5:
            graph.calls.append(_call(part))
        elif part.number == 6:
            graph.asset_files.append(_asset(part))
        elif part.number == 7:
            graph.objects = read_objects(part)
    if len({call.name for call in graph.calls}) < len(graph.calls):
        raise CutOffError("it has a signature twice")
    return graph


def _about(message: Field, graph: MetaGraph) -> None:
    for part in _ABOUT.of(message.fields()):
        if part.number == 4:
            graph.tags.append(name_of(part))
        elif part.number == 5:
            graph.version = name_of(part)


def _definition(message: Field, graph: MetaGraph) -> None:
    names: set[str] = set()
    for part in _GRAPH.of(message.fields()):
        if part.number == 1:
            node = read_node(part)
            if node.name in names:
                raise CutOffError(f"its graph has two nodes of the name {node.name[:100]!r}")
            names.add(node.name)
            graph.nodes.append(node)
        elif part.number == 2:
            for one in _LIBRARY.of(part.fields()):
                _library(one, graph)


def _library(part: Field, graph: MetaGraph) -> None:
    if part.number == 1:
        function = read_function(part)
        if function.name in graph.functions:
            raise CutOffError(f"it has two functions of the name {function.name[:100]!r}")
        graph.functions[function.name] = function
    elif part.number == 2:
        names = {one.number: name_of(one) for one in _GRADIENT.of(part.fields())}
        graph.gradients[names.get(1, "")] = names.get(2, "")


def _collection(message: Field, graph: MetaGraph) -> None:
    for key, collection in entry_of(message, _ENTRY):
        if key in graph.collections:
            raise CutOffError(f"it has the collection {key[:100]!r} twice")
        graph.collections.add(key)
        for kind in _COLLECTION.of(collection.fields()) if collection is not None else ():
            if kind.number in (1, 2) and key != _SAVERS_OWN:
                graph.collected += [one.read() for one in _NAMES.of(kind.fields())]
            elif kind.number == 5 and key == _ASSETS:
                for one in _NAMES.of(kind.fields()):
                    graph.older_assets += [_asset(value) for value in _ANY.of(one.fields()) if value.number == 2]


def _asset(message: Field) -> tuple[str, str]:
    """An asset's file name, and the node that becomes its path."""
    node = name = ""
    for part in _ASSET.of(message.fields()):
        if part.number == 1:
            node = next((name_of(one) for one in _TENSOR.of(part.fields()) if one.number == 1), "")
        else:
            name = name_of(part)
    return name, node_of(node)


def node_of(tensor: str) -> str:
    """The node that an input or a tensor's name belongs to: `^name`, `name:0`, `name:output:0`."""
    return tensor.removeprefix("^").partition(":")[0]


def _call(pair: Field) -> Call:
    name = method = ""
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    for name, signature in entry_of(pair, _ENTRY):  # noqa: B007 - there is one
        for one in _SIGNATURE.of(signature.fields()) if signature is not None else ():
            if one.number == 1:
                inputs.append(_tensor(one))
            elif one.number == 2:
                outputs.append(_tensor(one))
            elif one.number == 3:
                method = name_of(one)
    if max(len(inputs) - len({one.name for one in inputs}), len(outputs) - len({one.name for one in outputs})):
        raise CutOffError(f"its signature {name[:100]!r} has a tensor twice")
    inputs.sort(key=lambda tensor: tensor.name)
    outputs.sort(key=lambda tensor: tensor.name)
    return Call(name=name, method=method, inputs=tuple(inputs), outputs=tuple(outputs))


def _tensor(pair: Field) -> Tensor:
    name = node = dtype = ""
    shape: tuple[int, ...] | None = ()
    composite = False
    parts: tuple[str, ...] = ()
    for name, info in entry_of(pair, _ENTRY):  # noqa: B007 - there is one
        for one in _TENSOR.of(info.fields()) if info is not None else ():
            if one.number == 1:
                node = node_of(name_of(one))
            elif one.number == 2:
                dtype = _DTYPES.get(one.value, "")
            elif one.number == 3:
                shape = _shape(one)
            elif one.number in (4, 5):
                composite, parts = True, tuple(_parts(one, 0))
    return Tensor(name=name, dtype=dtype, shape=shape, node=node, composite=composite, parts=parts)


def _parts(message: Field, depth: int) -> Iterator[str]:
    """The nodes of a CooSparse (field 4 of a TensorInfo) or a CompositeTensor."""
    if depth > _DEEPEST:
        raise CutOffError("its composite tensors are nested too deep")
    if message.number == 4:
        yield from (node_of(name_of(one)) for one in _SPARSE.of(message.fields()))
        return
    for component in _COMPOSITE.of(message.fields()):
        for one in _TENSOR.of(component.fields()) if component.number == 2 else ():
            if one.number == 1:
                yield node_of(name_of(one))
            elif one.number in (4, 5):
                yield from _parts(one, depth + 1)


def _shape(message: Field) -> tuple[int, ...] | None:
    lengths: list[int] = []
    for part in _SHAPE.of(message.fields()):
        if part.number == 3 and part.value:
            return None
        if part.number == 2:
            # A length of 0 is protobuf's default, and is not written.
            lengths.append(next((signed(one.value) for one in part.fields() if one.number == 1), 0))
    return tuple(lengths)
