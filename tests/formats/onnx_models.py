"""Small ONNX files made by skl2onnx and by hand, for the tests: each is a function that gives the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
IR = 9  # what every onnxruntime from 1.15 on reads
OPSET = 17


def iris(*, zipmap: bool = True) -> Any:
    """A classifier with texts for labels; its probabilities in ZipMap's dictionaries or as an array."""
    data = load_iris()
    model = LogisticRegression(max_iter=500).fit(data.data.astype(np.float32), data.target_names[data.target])
    return to_onnx(model, data.data[:1].astype(np.float32), options={"zipmap": zipmap}, target_opset=OPSET)


def passengers() -> Any:
    """A pipeline of named columns, each an input of shape [N, 1]: two of numbers, two of texts."""
    import pandas as pd

    chance = np.random.default_rng(7)
    table = pd.DataFrame(
        {
            "age": chance.uniform(1, 80, 200).astype(np.float32),
            "fare": chance.lognormal(3, 1, 200).astype(np.float32),
            "sex": chance.choice(["male", "female"], 200),
            "port": chance.choice(["S", "C", "Q"], 200),
        }
    )
    target = ((table.sex == "female") | (table.age < 12)).astype(int)
    columns = ColumnTransformer(
        [("n", StandardScaler(), ["age", "fare"]), ("t", OneHotEncoder(handle_unknown="ignore"), ["sex", "port"])]
    )
    model = make_pipeline(columns, LogisticRegression()).fit(table, target)
    types = [
        ("age", FloatTensorType([None, 1])),
        ("fare", FloatTensorType([None, 1])),
        ("sex", StringTensorType([None, 1])),
        ("port", StringTensorType([None, 1])),
    ]
    return to_onnx(model, initial_types=types, target_opset=OPSET)


def graph(inputs: list[Any], outputs: list[Any], nodes: list[Any], *, tensors: Any = (), opsets: Any = None) -> Any:
    """A model of these parts."""
    made = helper.make_graph(nodes, "g", inputs, outputs, initializer=list(tensors))
    opsets = {"": OPSET} if opsets is None else opsets
    ids = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return helper.make_model(made, opset_imports=ids, ir_version=IR, producer_name="tests")


def value(name: str, dtype: int, shape: Any) -> Any:
    """A tensor of the graph's edge."""
    return helper.make_tensor_value_info(name, dtype, shape)


def doubling(shape: Any, answer: Any = None, dtype: int = FLOAT) -> Any:
    """y = x + x of these axes."""
    node = helper.make_node("Add", ["x", "x"], ["y"])
    return graph([value("x", dtype, shape)], [value("y", dtype, shape if answer is None else answer)], [node])


def words() -> Any:
    """Upper-cases a text by a language's rules: [N] texts in, [N] texts out."""
    node = helper.make_node("StringNormalizer", ["x"], ["y"], case_change_action="UPPER", is_case_sensitive=1)
    return graph([value("x", STRING, ["N"])], [value("y", STRING, ["N"])], [node])


def wide(width: int = 500) -> Any:
    """y = x W + b with a matrix of width x 3 numbers."""
    chance = np.random.default_rng(3)
    tensors = [
        numpy_helper.from_array(chance.normal(size=(width, 3)).astype(np.float32), "W"),
        numpy_helper.from_array(np.ones(3, np.float32), "b"),
    ]
    node = helper.make_node("Gemm", ["x", "W", "b"], ["y"])
    return graph([value("x", FLOAT, ["N", width])], [value("y", FLOAT, ["N", 3])], [node], tensors=tensors)


def write_external(model: Any, path: Path) -> None:
    """Writes the model with its tensors in `weights.bin` beside it."""
    onnx.save_model(
        model, path, save_as_external_data=True, all_tensors_to_one_file=True, location="weights.bin", size_threshold=0
    )


def quantized() -> Any:
    """Quantizes what it is given by the range of all of it, as onnxruntime's dynamic quantization does, and takes that back."""
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["whole", "scale", "zero"]),
        helper.make_node("DequantizeLinear", ["whole", "scale", "zero"], ["y"]),
    ]
    return graph([value("x", FLOAT, ["N", 2])], [value("y", FLOAT, ["N", 2])], nodes)


def foreign() -> Any:
    """One operator of a domain that nobody here knows."""
    node = helper.make_node("Twist", ["x"], ["y"], domain="acme.ops")
    opsets = {"": OPSET, "acme.ops": 1}
    return graph([value("x", FLOAT, ["N", 2])], [value("y", FLOAT, ["N", 2])], [node], opsets=opsets)


def shouting() -> Any:
    """Two operators of onnxruntime-extensions: texts in capitals, and how long they are."""
    nodes = [
        helper.make_node("StringUpper", ["text"], ["loud"], domain="ai.onnx.contrib"),
        helper.make_node("StringLength", ["loud"], ["length"], domain="ai.onnx.contrib"),
    ]
    outputs = [value("loud", STRING, ["N"]), value("length", INT64, ["N"])]
    return graph([value("text", STRING, ["N"])], outputs, nodes, opsets={"": OPSET, "ai.onnx.contrib": 1})
