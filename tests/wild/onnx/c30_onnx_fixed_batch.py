"""onnxruntime#13184: exported without dynamic axes (batch 1), asked for three rows."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.wild.case import ask, serve

rng = np.random.default_rng(23)
W = rng.normal(size=(4, 2)).astype(np.float32)
g = helper.make_graph(
    [helper.make_node("MatMul", ["x", "W"], ["h"]), helper.make_node("Softmax", ["h"], ["probs"], axis=1)],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
    [helper.make_tensor_value_info("probs", TensorProto.FLOAT, [1, 2])],
    [numpy_helper.from_array(W, "W")],
)
onnx.save(helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), "fixed.onnx")
x = rng.normal(size=(3, 4)).astype(np.float32)
h = x @ W
p = np.exp(h) / np.exp(h).sum(1, keepdims=True)
ask("three rows of a batch-1 model", {"instances": x}, p)
serve("fixed.onnx")
