"""Whether the rows of a call are independent: true only for graphs of operators that are known to treat rows separately."""

from __future__ import annotations

from mlpack.formats.onnx.proto import Model, Node

# ai.onnx operators that take each element, or each row, by itself.
_ROWWISE = frozenset({
    "Abs", "Acos", "Add", "And", "Asin", "Atan", "AveragePool", "BatchNormalization", "Cast", "Ceil", "Clip", "Constant",
    "Conv", "Cos", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "GlobalAveragePool", "GlobalMaxPool",
    "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "IsNaN", "LRN", "LeakyRelu", "Less", "LessOrEqual",
    "Log", "Max", "MaxPool", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow", "Reciprocal", "Relu",
    "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu",
    "Where", "Xor",
})  # fmt: skip
# Those that do so along another axis than the rows'; their axis when they name none.
_ALONG = {"Concat": 0, "Softmax": -1, "LogSoftmax": -1, "Hardmax": -1, "ArgMax": 0, "ArgMin": 0, "Flatten": 1}
_OF_ROWS = frozenset({"MatMul", "Gemm"})  # the rows times fixed numbers; two of the graph's own values may mix rows
# ai.onnx.ml operators that do not.
_MIXING = frozenset({"ArrayFeatureExtractor"})


# What onnxruntime's dynamic quantization puts into a graph: the scale is that of all values of one call.
_SCALED_TOGETHER = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"})


def rows_are_scaled_together(model: Model) -> bool:
    """Whether the graph quantizes what it is given by the range of all rows, so that one row's answer hangs on the others."""
    return any(op in _SCALED_TOGETHER for _, op in model.operators)


def rows_are_independent(model: Model) -> bool:
    """True only when every operator of the graph is known to keep rows apart."""
    fixed = set(model.initializers) | {name for one in model.nodes if one.op == "Constant" for name in one.outputs}
    return bool(model.nodes) and all(_keeps_apart(one, fixed) for one in model.nodes)


def _keeps_apart(node: Node, fixed: set[str]) -> bool:
    if node.domain == "ai.onnx.ml":
        # It picks columns where it is given which by the graph's constants.
        return node.op not in _MIXING or all(name in fixed for name in node.inputs[1:])
    if node.domain:
        return False
    if node.op in _ALONG:
        return (node.axis if node.axis is not None else _ALONG[node.op]) != 0
    if node.op in _OF_ROWS:
        return all(name in fixed for name in node.inputs[1:])
    return node.op in _ROWWISE
