"""A Keras model's configuration as the tensors that it takes and gives, its layers, and what stands in it beside layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlpack.formats.keras.ends import End, ends_of, named_ends, structure_of
from mlpack.formats.keras.shapes import HIGHEST_RANK, LONGEST, Shape, output_shape

_DTYPES = {
    "bool": "BOOL", "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64", "uint8": "UINT8",
    "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64", "float16": "FP16", "float32": "FP32", "float64": "FP64",
    "string": "BYTES",
}  # fmt: skip
_NESTED = ("Sequential", "Functional", "Model")
_MOST_NODES = 500_000


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """An input or output: `shape` with its batch axis, None for an unknown length; None when the rank is unknown.

    An input that is looked up in a table holds whole numbers `below` its size.
    """

    name: str
    dtype: str
    shape: Shape | None
    below: int | None = None


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The facts in a model's configuration; `named`: it takes its inputs as a dictionary.

    `nested` are the lists and dictionaries that it takes its inputs in, with the inputs' names, where one is in another.
    `subclassed`: only the code of its own class says what it takes; `stateful`: a recurrent layer keeps its state.
    """

    kind: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    layers: tuple[tuple[str, str], ...]
    named: bool = False
    nested: Any = None
    subclassed: bool = False
    stateful: bool = False


def architecture(document: Mapping[str, Any]) -> Architecture:
    """The model that `{"class_name", "config"}` describes; without inputs if it does not record them."""
    kind = str(document.get("class_name"))
    config = document.get("config")
    layers = _layers(config)
    named = subclassed = False
    nested: Any = None
    if kind == "Sequential":
        inputs, outputs = _sequence(layers, document)
    elif isinstance(config, Mapping) and config.get("input_layers") is not None:
        graph, taken = _Graph(layers), config["input_layers"]
        inputs = tuple(graph.input(name, end) for name, end in named_ends(taken))
        outputs = tuple(graph.output(name, end) for name, end in named_ends(config.get("output_layers")))
        named, whole = isinstance(taken, Mapping), structure_of(taken, [one.name for one in inputs])
        nested = whole if any(isinstance(one, list | dict) for one in _inside(whole)) else None
    else:
        subclassed, named = True, isinstance(_built_from(document), Mapping)
        inputs, outputs = _built(document)
    return Architecture(
        kind=kind,
        inputs=inputs,
        outputs=outputs,
        layers=tuple((_name(layer), str(layer.get("class_name"))) for layer in layers),
        named=named,
        nested=nested,
        subclassed=subclassed,
        stateful=any(_config(node).get("stateful") is True for node in nodes(config)),
    )


def nodes(document: Any) -> Iterator[dict[str, Any]]:
    """Every object in a configuration, however deep; raises ValueError when there are too many."""
    waiting = [document]
    count = 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > _MOST_NODES:
            raise ValueError("its configuration is too large to be read")
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _layers(config: Any) -> list[dict[str, Any]]:
    # Keras before 2.2.3 wrote a Sequential's layers as its whole configuration.
    listed = config.get("layers") if isinstance(config, Mapping) else config
    return [layer for layer in listed if isinstance(layer, dict)] if isinstance(listed, list) else []


def _config(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    found = layer.get("config")
    return found if isinstance(found, Mapping) else {}


def _name(layer: Mapping[str, Any]) -> str:
    return str(layer.get("name") or _config(layer).get("name") or "")


def _shape(value: Any) -> Shape | None:
    if not isinstance(value, list) or len(value) > HIGHEST_RANK:
        return None
    if not all(one is None or (isinstance(one, int) and abs(one) < LONGEST) for one in value):
        return None
    return tuple(value)


def _input_shape(layer: Mapping[str, Any]) -> Shape | None:
    config = _config(layer)
    for key in ("batch_shape", "batch_input_shape"):
        if (shape := _shape(config.get(key))) is not None:
            return shape
    inner = config.get("layers")
    if isinstance(inner, list) and inner and isinstance(inner[0], dict):
        return _input_shape(inner[0])
    return None


def _dtype(layer: Mapping[str, Any]) -> str:
    policy = _config(layer).get("dtype")
    if isinstance(policy, Mapping):  # a policy: {"class_name": "DTypePolicy", "config": {"name": "float32"}}
        policy = _config(policy).get("name")
    return _DTYPES.get(str(policy), "FP32")


def _answered(layer: Mapping[str, Any]) -> str:
    """The data type of what a layer gives."""
    name = str(layer.get("class_name"))
    if name == "InputLayer":
        return _dtype(layer)
    config = _config(layer)
    if name in ("StringLookup", "IntegerLookup", "Discretization", "Hashing", "TextVectorization"):
        return "BYTES" if config.get("invert") and name == "StringLookup" else "INT64"
    policy = _dtype({"config": {"dtype": config.get("dtype")}})
    return policy if policy.startswith("FP") else "FP32"


def _table_size(layer: Mapping[str, Any]) -> int | None:
    size = _config(layer).get("input_dim") if layer.get("class_name") == "Embedding" else None
    return size if isinstance(size, int) and size > 0 else None


def _built_from(layer: Mapping[str, Any]) -> Any:
    build = layer.get("build_config")
    return build.get("input_shape") if isinstance(build, Mapping) else None


def _sequence(
    layers: list[dict[str, Any]], document: Mapping[str, Any]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    if not layers:
        return (), ()
    first = layers[0]
    shape = _input_shape(first)
    if shape is None:
        config = document.get("config")
        shape = _shape(config.get("build_input_shape")) if isinstance(config, Mapping) else None
        shape = shape or _shape(_built_from(document))
    if shape is None:
        return (), ()
    whole = first.get("class_name") == "Embedding"  # takes whole numbers, and computes in floats
    taken = "INT32" if whole else _dtype(first)
    name = _name(first)
    if first.get("class_name") != "InputLayer":
        name += "_input"
    current: Shape | None = shape
    for layer in layers:
        current = output_shape(layer, [_shape(_built_from(layer)) or current])
    table = next((layer for layer in layers if layer.get("class_name") != "InputLayer"), {})
    given = Tensor(name=name, dtype=taken, shape=shape, below=_table_size(table))
    return (given,), (Tensor(name=_name(layers[-1]), dtype=_answered(layers[-1]), shape=current),)


def _built(document: Mapping[str, Any]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """The inputs of a model with custom code, from its recorded build configuration; none without one."""
    built = _built_from(document)
    if isinstance(built, Mapping):
        shapes = {str(name): _shape(one) for name, one in built.items()}
    elif isinstance(built, list) and built and all(isinstance(one, list) for one in built):
        shapes = {f"input_{place}": _shape(one) for place, one in enumerate(built)}
    else:
        shapes = {"input": _shape(built)}
    if not shapes or not all(shapes.values()):
        return (), ()
    # The first axis is as long as the rows with which the model was called first.
    inputs = tuple(Tensor(name=name, dtype="FP32", shape=(None, *(shape or ())[1:])) for name, shape in shapes.items())
    return inputs, (Tensor(name="output", dtype="FP32", shape=None),)


class _Graph:
    """Layers by name, and the shape of what each call of one gives, as far as it is known."""

    def __init__(self, layers: list[dict[str, Any]]) -> None:
        self._layers = {_name(layer): layer for layer in layers}
        self._known: dict[tuple[str, int], Shape | None] = {}
        # Layers whose output a table takes alone -> the size of the smallest such table.
        self._below: dict[str, int] = {}
        for layer in self._layers.values():
            size = _table_size(layer)
            if size is not None and len(sources := _sources(layer, 0)) == 1:
                source = sources[0].layer
                self._below[source] = min(size, self._below.get(source, size))

    def input(self, name: str, end: End) -> Tensor:
        layer = self._layers.get(end.layer, {})
        return Tensor(name=name, dtype=_dtype(layer), shape=_input_shape(layer), below=self._below.get(end.layer))

    def output(self, name: str, end: End) -> Tensor:
        return Tensor(name=name, dtype=_answered(self._layers.get(end.layer, {})), shape=self._shape_of(end))

    def _shape_of(self, end: End) -> Shape | None:
        waiting = [self._call(end)]
        while waiting:
            current = waiting[-1]
            layer = self._layers.get(current[0])
            if current in self._known or layer is None:
                self._known.setdefault(current, None)
                waiting.pop()
                continue
            if layer.get("class_name") == "InputLayer":
                self._known[current] = _input_shape(layer)
                continue
            # What is recorded is the shape with which the layer was built: that of its first call.
            recorded = _recorded_inputs(layer) if _calls(layer) < 2 else None
            sources = _sources(layer, current[1])
            called = [self._call(one) for one in sources]
            open_ = [one for one in called if one not in self._known]
            if recorded is None and open_:
                # What leads back to itself is left open, so that the walk ends.
                self._known.update((one, None) for one in open_ if one in waiting)
                waiting += [one for one in open_ if one not in waiting]
                continue
            shapes = recorded if recorded is not None else [self._known_of(one) for one in sources]
            self._known[current] = _nested_output(layer) if _is_nested(layer) else output_shape(layer, shapes)
        return self._known_of(end)

    def _call(self, end: End) -> tuple[str, int]:
        """The call of the layer; the number of the only one is not always 0."""
        return end.layer, end.call if _calls(self._layers.get(end.layer, {})) > 1 else 0

    def _known_of(self, end: End) -> Shape | None:
        return self._known.get(self._call(end)) if end.tensor == 0 else None


def _is_nested(layer: Mapping[str, Any]) -> bool:
    return layer.get("class_name") in _NESTED and bool(_layers(layer.get("config")))


def _nested_output(layer: Mapping[str, Any]) -> Shape | None:
    inner = [one for one in _layers(layer.get("config")) if one.get("class_name") in _NESTED]
    if inner and any(_is_nested(deeper) for one in inner for deeper in _layers(one.get("config"))):
        return None  # models in models in models: not worth the walk
    found = architecture(layer).outputs
    return found[0].shape if len(found) == 1 else None


def _recorded_inputs(layer: Mapping[str, Any]) -> list[Shape | None] | None:
    """The shapes of a layer's inputs as Keras 3 writes them."""
    built = _built_from(layer)
    if (shape := _shape(built)) is not None:
        return [shape]
    if isinstance(built, list) and built and all(_shape(one) is not None for one in built):
        return [_shape(one) for one in built]
    return None


def _calls(layer: Mapping[str, Any]) -> int:
    calls = layer.get("inbound_nodes")
    return len(calls) if isinstance(calls, list) else 0


def _sources(layer: Mapping[str, Any], call: int) -> list[End]:
    """The tensors that a layer takes in one of its calls."""
    calls = layer.get("inbound_nodes")
    if not isinstance(calls, list) or not 0 <= call < len(calls):
        return []
    if isinstance(calls[call], dict):  # Keras 3
        found = (
            node.get("config")
            for node in nodes(calls[call].get("args"))
            if node.get("class_name") == "__keras_tensor__"
        )
        return [end for one in found if isinstance(one, dict) for end in ends_of(one.get("keras_history"))[:1]]
    return ends_of(calls[call])


def _inside(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
