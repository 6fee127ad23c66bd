"""An ONNX file as data (onnx.proto): its graph's inputs, outputs, operators and its tensors' names, not their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from mlpack.formats.onnx.layouts import ATTRIBUTE, FUNCTION, GRAPH, MODEL, NODE, OPSET, TRAINING, VALUES
from mlpack.formats.onnx.tensors import TensorInfo, pair_of, read_sparse, read_tensor
from mlpack.formats.onnx.values import NAME, Value, value_of
from mlpack.readers.encodings.protobuf import BYTES, VARINT, Field, fields, signed, varints
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import Source

_MOST_LABELS = 20_000
_MOST_METADATA = 100
_VALUES = frozenset(VALUES.values())
_LABELS = ("classlabels_strings", "classlabels_int64s", "classlabels_ints")


@dataclass(frozen=True, kw_only=True)
class Node:
    """An operator: its domain and type, what it takes and gives, and the few attributes that matter here."""

    domain: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    axis: int | None = None
    to: int | None = None  # the element type that Cast gives
    labels: tuple[str | int, ...] = ()
    locale: str | None = None


@dataclass(frozen=True, kw_only=True)
class Model:
    """All that is known of an ONNX file. `opsets` by domain ("" is ai.onnx); `nodes` those of the main graph.

    `operators` counts every operator, also of functions and inner graphs; `functions` are those that the file defines itself,
    `external` the files beside it that hold tensors and how many bytes
    each must have, `parameters` how many numbers all its tensors hold.
    """

    ir_version: int
    producer: str
    domain: str
    model_version: int
    opsets: Mapping[str, int]
    metadata: Mapping[str, str]
    graph: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    operators: Mapping[tuple[str, str], int]
    functions: frozenset[tuple[str, str]]
    locales: frozenset[str]
    initializers: frozenset[str]
    external: Mapping[str, int]
    parameters: int


def looks_like_onnx(head: bytes) -> bool:
    """Whether a file begins as every ONNX file does: the IR's version, then the producer's name or another of its fields."""
    if len(head) < 4 or head[0] != 0x08 or not 0 < head[1] < 100:
        return False
    if head[2] == 0x12:  # a text; SavedModels and Core ML's files have a message here
        text = head[4 : 4 + head[3]]
        return head[3] < 0x80 and all(32 <= byte < 127 for byte in text)
    return head[2] in (0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42)


def read_model(source: Source) -> Model | None:
    """What the file says; None when it holds no graph. Raises CutOffError when it is broken or cut off."""
    reader = _Reader()
    for field in MODEL.of(fields(source)):
        reader.take(field)
    return reader.model()


class _Reader:
    """What was read so far."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.texts: dict[int, str] = {}
        self.opsets: dict[str, int] = {}
        self.metadata: dict[str, str] = {}
        self.graph: str | None = None
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.nodes: list[Node] = []
        self.operators: Counter[tuple[str, str]] = Counter()
        self.functions: set[tuple[str, str]] = set()
        self.overloads: set[tuple[str, str, str]] = set()
        self.locales: set[str] = set()
        self.initializers: set[str] = set()
        self.external: dict[str, int] = {}
        self.parameters = 0

    def take(self, field: Field) -> None:
        """One field of ModelProto."""
        if field.wire == VARINT and field.number in (1, 5):
            self.numbers[field.number] = field.signed
        elif field.wire != BYTES:
            return
        elif field.number in (2, 3, 4):
            self.texts[field.number] = field.text(NAME)
        elif field.number == 7:
            self.graph = self._graph(field, main=True)
        elif field.number == 8:
            domain, version = _opset(field)
            self.opsets[domain] = max(version, self.opsets.get(domain, 0))
        elif field.number == 14 and len(self.metadata) < _MOST_METADATA:
            key, text = pair_of(field)
            self.metadata[key] = text
        elif field.number in (20, 25):
            self._beside_the_graph(field)

    def _beside_the_graph(self, field: Field) -> None:
        """Graphs of training, and functions."""
        if field.number == 25:
            self._function(field)
            return
        for one in TRAINING.of(field.fields()):
            if one.number in (1, 2):
                self._graph(one, main=False)

    def model(self) -> Model | None:
        if self.graph is None:
            return None
        producer = " ".join(part for part in (self.texts.get(2, ""), self.texts.get(3, "")) if part)
        return Model(
            ir_version=self.numbers.get(1, 0),
            producer=producer,
            domain=self.texts.get(4, ""),
            model_version=self.numbers.get(5, 0),
            opsets=dict(sorted(self.opsets.items())),
            metadata=dict(sorted(self.metadata.items())),
            graph=self.graph,
            inputs=tuple(one for one in self.inputs if one.name not in self.initializers),
            outputs=tuple(self.outputs),
            nodes=tuple(self.nodes),
            operators=dict(sorted(self.operators.items())),
            functions=frozenset(self.functions),
            locales=frozenset(self.locales),
            initializers=frozenset(self.initializers),
            external=dict(self.external),
            parameters=self.parameters,
        )

    def _graph(self, graph: Field, *, main: bool) -> str:
        name = ""
        for field in GRAPH.of(graph.fields()):
            if field.number == 1:
                node = self._node(field)
                if main:
                    self.nodes.append(node)
            elif field.number == 2:
                name = field.text(NAME)
            elif field.number in (5, 15):
                inner = self._tensors([read_tensor(field)] if field.number == 5 else read_sparse(field))
                if main and inner:
                    self.initializers.add(inner)
            elif main and field.number == 11:
                self.inputs.append(value_of(field))
            elif main and field.number == 12:
                self.outputs.append(value_of(field))
        return name

    def _node(self, node: Field) -> Node:
        inputs: list[str] = []
        outputs: list[str] = []
        op = domain = ""
        found: dict[str, int | str | tuple[str | int, ...]] = {}
        names: set[str] = set()
        for field in NODE.of(node.fields()):
            if field.number in (1, 2):
                (inputs if field.number == 1 else outputs).append(field.text(NAME))
            elif field.number == 4:
                op = field.text(NAME)
            elif field.number == 5:
                name = self._attribute(field, found)
                if name in names:
                    raise CutOffError(f"a node has the attribute {name[:100]!r} twice")
                names.add(name)
            elif field.number == 7:
                domain = field.text(NAME)
        domain = "" if domain == "ai.onnx" else domain
        self.operators[domain, op] += 1
        locale = found.get("locale", "en_US.UTF-8")  # onnxruntime's own default
        if op == "StringNormalizer":
            self.locales.add(str(locale))
        axis, to = found.get("axis"), found.get("to")
        labels = next((value for key in _LABELS if isinstance(value := found.get(key), tuple) and value), ())
        return Node(
            domain=domain,
            op=op,
            inputs=tuple(inputs),
            outputs=tuple(outputs),
            axis=axis if isinstance(axis, int) else None,
            to=to if isinstance(to, int) else None,
            labels=labels,
        )

    def _attribute(self, attribute: Field, found: dict[str, int | str | tuple[str | int, ...]]) -> str:
        """One attribute's name. The millions of numbers of a forest are stepped over, each looked at in passing.

        Raises CutOffError for values of two kinds, or of another kind than its type: readers take different ones.
        """
        name = ""
        kind = 0
        values: set[int] = set()
        labels: list[str | int] = []
        for field in ATTRIBUTE.of(attribute.fields()):
            if field.number in _VALUES:
                values.add(field.number)
            if field.number == 1:
                name = field.text(NAME)
            elif field.number == 20:
                kind = field.value
            elif field.number == 3 and name in ("axis", "to"):
                found[name] = field.signed
            elif (field.number, name) == (4, "locale"):
                found[name] = field.text(NAME)
            elif field.number in (7, 8, 9) and name in _LABELS and len(labels) <= _MOST_LABELS:
                labels += _labels(field)
            else:
                self._value(field)
        if len(values) > 1 or (values and kind and values != {VALUES.get(kind)}):
            raise CutOffError(f"the attribute {name[:100]!r} of a node has values of two kinds")
        if labels:
            found[name] = tuple(labels)
        return name

    def _value(self, field: Field) -> None:
        """What lies in an attribute: tensors and graphs are counted, numbers stepped over."""
        if field.number in (5, 10):
            self._tensors([read_tensor(field)])
        elif field.number in (22, 23):
            self._tensors(read_sparse(field))
        elif field.number in (6, 11):
            self._graph(field, main=False)
        elif field.number in (7, 8, 9):
            field.skip_run()

    def _tensors(self, found: list[TensorInfo]) -> str:
        """Count tensors; the name of the first."""
        for one in found:
            self.parameters += one.count
            if one.part is not None:
                self.external[one.part.location] = max(one.part.end, self.external.get(one.part.location, 0))
        return found[0].name if found else ""

    def _function(self, function: Field) -> None:
        name = domain = overload = ""
        for field in FUNCTION.of(function.fields()):
            if field.number == 1:
                name = field.text(NAME)
            elif field.number == 11:
                self._attribute(field, {})
            elif field.number == 7:
                self._node(field)
            elif field.number == 9:
                key, version = _opset(field)
                self.opsets.setdefault(key, version)
            elif field.number == 10:
                domain = field.text(NAME)
            elif field.number == 13:
                overload = field.text(NAME)
        if (domain, name, overload) in self.overloads:
            raise CutOffError(f"it defines the function {name[:100]!r} twice")
        self.overloads.add((domain, name, overload))
        self.functions.add((domain, name))


def _labels(field: Field) -> list[str | int]:
    """The texts or numbers of one field of an attribute, packed or not."""
    if field.number != 8:
        return [field.text(NAME)]
    return [signed(one) for one in varints(field.read())] if field.wire == BYTES else [field.signed]


def _opset(field: Field) -> tuple[str, int]:
    domain, version = "", 0
    for one in OPSET.of(field.fields()):
        if one.number == 1:
            domain = one.text(NAME)
        elif one.number == 2:
            version = one.signed
    return "" if domain == "ai.onnx" else domain, version
