"""Outputs whose type the file leaves out: onnxruntime finds it from the operators, and so does this."""

from __future__ import annotations

from dataclasses import replace

from mlpack.formats.onnx.proto import Model, Node
from mlpack.formats.onnx.values import Value

_FLOAT, _INT64, _STRING = 1, 7, 8  # TensorProto.DataType
_CLASSIFIERS = frozenset({"LinearClassifier", "TreeEnsembleClassifier", "SVMClassifier"})
_FLOATS = frozenset({
    "LinearRegressor", "TreeEnsembleRegressor", "SVMRegressor", "Normalizer", "Scaler", "TfIdfVectorizer", "FeatureVectorizer",
    "OneHotEncoder",
})  # fmt: skip
_PLACES = frozenset({"ArgMax", "ArgMin", "Shape", "Size", "NonZero"})
_BOOL = 9
_BOOLEANS = frozenset({"Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "And", "Or", "Xor", "IsNaN"})
# Operators whose first output has the type of their first input.
_SAME = frozenset({
    "Abs", "Add", "ArrayFeatureExtractor", "AveragePool", "BatchNormalization", "Binarizer", "Ceil", "Clip", "Concat", "Conv",
    "CumSum", "Div", "Dropout", "Elu", "Erf", "Exp", "Expand", "Flatten", "Floor", "Gather", "GatherElements",
    "GatherND", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "HardSwish", "Hardmax", "Identity",
    "Imputer", "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax", "MatMul", "Max", "MaxPool", "Mean", "Min",
    "Mod", "Mul", "Neg", "PRelu", "Pad", "Pow", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "Relu", "Reshape", "Resize", "Round", "ScatterElements", "ScatterND",
    "Selu", "Sigmoid", "Sign", "Slice", "Softmax", "Softplus", "Softsign", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tanh",
    "Tile", "TopK", "Transpose", "Unsqueeze",
})  # fmt: skip
# The types of further outputs.
_FURTHER = {"TopK": _INT64, "MaxPool": _INT64}
# Operators whose inputs have all the same type, so that the graph's own value tells it as well as a constant.
_ALIKE = frozenset({"Add", "Concat", "Div", "Gemm", "MatMul", "Max", "Mean", "Min", "Mod", "Mul", "Sub", "Sum"})
_DOMAINS = ("", "ai.onnx.ml")
_MOST_STEPS = 1000
_MAPS = Value(
    name="", kind="sequence", inner=Value(name="", kind="map", inner=Value(name="", kind="tensor", element=_FLOAT))
)


def typed_outputs(model: Model) -> tuple[Value, ...]:
    """The graph's outputs; those without a type, or a sequence of an unknown one, by the operator that gives them."""
    makers = {name: (node, place) for node in model.nodes for place, name in enumerate(node.outputs) if name}
    inputs = {one.name: one for one in model.inputs}
    return tuple(_typed(one, makers, inputs, model.initializers) for one in model.outputs)


def _typed(value: Value, makers: dict[str, tuple[Node, int]], inputs: dict[str, Value], fixed: frozenset[str]) -> Value:
    if value.kind == "tensor" and value.element:
        return value
    name = value.name
    for _ in range(_MOST_STEPS):
        if name in inputs:
            return replace(value, kind=inputs[name].kind, element=inputs[name].element)
        node, place = makers.get(name, (None, 0))
        if node is None or node.domain not in _DOMAINS or (node.op == "TopK" and node.axis == 0):
            return value  # unknown, or the largest of all rows, which are no answers to rows
        if node.op == "ZipMap":
            return replace(_MAPS, name=value.name) if _is_open(value) else value
        element, dims = _known(node, place)
        if element:
            return replace(value, kind="tensor", element=element, dims=dims) if value.kind == "untyped" else value
        if node.op not in _SAME or (place and node.op != "Split") or not node.inputs:
            return value
        alike = node.inputs if node.op in _ALIKE else node.inputs[:1]
        name = next((one for one in alike if one not in fixed), alike[0])
    return value


def _is_open(value: Value) -> bool:
    """Whether a value has no type, or one whose inner type is left out."""
    inner: Value | None = value
    while inner is not None and inner.kind in ("sequence", "map"):
        inner = inner.inner
    return inner is None or inner.kind == "untyped" or not inner.element


def _known(node: Node, place: int) -> tuple[int, tuple[int, ...] | None]:
    """The type and axes of an operator's output; 0 if the operator does not tell the type."""
    if node.op in _CLASSIFIERS:
        texts = bool(node.labels) and isinstance(node.labels[0], str)
        return (_FLOAT, (-1, len(node.labels) or -1)) if place else (_STRING if texts else _INT64, (-1,))
    if node.op in _FLOATS:
        return _FLOAT, (-1, -1)
    if node.op in _PLACES:
        return _INT64, None
    if place:
        return _FURTHER.get(node.op, 0), None
    if node.op in _BOOLEANS:
        return _BOOL, None
    return (node.to or 0, None) if node.op == "Cast" else (0, None)
