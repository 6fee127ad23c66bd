"""Models that leave sizes or types open: sizes for the warm-up, and outputs that are typed by their operators."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, ValueInfoProto, helper, numpy_helper
from sklearn.datasets import load_iris

from mlpack.artifacts.model import ModelInfo, Signature, TensorSpec
from mlpack.artifacts.row_sizes import image_size, with_sizes
from mlpack.formats.onnx import OnnxFormat, loader
from mlpack.formats.tflite import TfliteFormat
from mlpack.formats.tflite import loader as tflite_loader
from mlpack.pipeline.inspect import inspect
from mlpack.runtime.card import Signature as Served
from mlpack.runtime.models.guard import Guard
from mlpack.runtime.models.loaded import LoadedModel, Warmup
from mlpack.runtime.protocols.encoding.rows import Rows
from mlpack.runtime.protocols.examples import example, example_document, other_sizes
from mlpack.runtime.telemetry.metrics import Metrics
from tests.formats import onnx_models as made
from tests.formats.tflite_models import adding
from tests.unit.runtime.services import card, quiet_log


def served(info: ModelInfo) -> Served:
    return Served.from_json(json.loads(json.dumps(info.signatures[0].to_json())))


def network(height: int, width: int, channels: int = 3, **metadata: str) -> Any:
    """A network for images of one size, whose file leaves height and width open."""
    weights = numpy_helper.from_array(np.ones((channels * height * width, 2), np.float32), "w")
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "w"], ["y"])]
    shape = ["N", channels, "height", "width"]
    outputs = [made.value("y", TensorProto.FLOAT, ["N", 2])]
    model = made.graph([made.value("x", TensorProto.FLOAT, shape)], outputs, nodes, tensors=[weights])
    for key, text in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    return model


def look(folder: Path, model: Any) -> ModelInfo:
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return inspect(path, formats=[OnnxFormat()])


def warmed_up(info: ModelInfo) -> LoadedModel:
    """The model after the warm-up by rows that are made from its signature."""
    signature = served(info)
    model = LoadedModel(card("m", None), loader, quiet_log(), Metrics())
    model._model = loader.load(str(info.path), info.options, Guard(info.names))
    inputs, _ = Rows(signature, 10).decode([example(signature)])
    model._warm_up([Warmup(signature, [inputs], False, partial(other_sizes, signature))])
    return model


def test_sizes_of_a_files_metadata(tmp_path: Path) -> None:
    """`imgsz`, as Ultralytics writes it, is the size of a made-up image."""
    info = look(tmp_path, network(64, 96, imgsz="[64, 96]", stride="32"))
    assert info.signatures[0].sizes == {"x": (3, 64, 96)}
    assert warmed_up(info).unverified == ""


def test_sizes_are_searched(tmp_path: Path) -> None:
    """Without metadata common sizes are tried until the model answers one; none is left as not verified."""
    assert warmed_up(look(tmp_path, network(28, 28, channels=1))).unverified == ""
    assert "made from its signature" in warmed_up(look(tmp_path, network(29, 29, channels=1))).unverified


@pytest.mark.parametrize(
    ("metadata", "size"),
    [
        ({"imgsz": "[640, 480]", "stride": "32"}, (640, 480)),
        ({"imgsz": [630, 640], "stride": 32}, (640, 640)),
        ({"imgsz": 320}, (320, 320)),
        ({"imgsz": "[1e9, 2]"}, ()),
        ({"imgsz": "[999999, 2]"}, ()),
        ({"imgsz": "[" * 5000}, ()),
        ({"imgsz": "640", "stride": "0"}, ()),
        ({}, ()),
    ],
)
def test_the_image_size_in_metadata(metadata: dict[str, Any], size: tuple[int, ...]) -> None:
    """Whatever the metadata hold, the size is one that can be made."""
    assert image_size(metadata) == size


def test_an_axis_of_one_name_has_one_size() -> None:
    """Tokens, images of either order, series; fixed axes stay."""

    def sizes(*inputs: tuple[str, tuple[int | str, ...]]) -> list[tuple[int, ...]]:
        specs = tuple(
            TensorSpec(name=f"x{place}", dtype=dtype, shape=shape) for place, (dtype, shape) in enumerate(inputs)
        )
        signature = Signature(name="p", method="p", inputs=specs, outputs=(), layout="tensors")
        return list(with_sizes(signature).sizes.values())

    assert sizes(("INT64", (-1, "s")), ("FP32", (-1, "s"))) == [(8,), (8,)]
    assert sizes(("FP32", (-1, "h", "w", 3)), ("FP32", (-1, -1, -1, -1))) == [(224, 224, 3), (3, 224, 224)]
    assert sizes(("FP32", (-1, "t", 40)), ("FP32", (-1, 5))) == [(16, 40)]


def test_guessed_sizes_do_not_fill_error_messages(tmp_path: Path) -> None:
    """An error shows an example; a guess of a large image stays out of it."""
    signature = served(look(tmp_path, network(28, 28)))
    assert example_document(signature, []) == {"instances": [[[[1.0]], [[1.0]], [[1.0]]]]}


def test_outputs_without_a_type_are_typed_by_their_operators(tmp_path: Path) -> None:
    """ZipMap's probabilities and the labels, where the graph leaves their types out, are answered as with them."""
    model = made.iris()
    with_types = look(tmp_path, model).signatures[0].outputs
    for output in model.graph.output:
        output.ClearField("type")
    info = look(tmp_path, model)
    assert info.signatures[0].outputs == with_types
    inputs, _ = Rows(served(info), 10).decode(load_iris().data[:3].tolist())
    found = loader.predict(loader.load(str(info.path), {}, Guard(info.names)), served(info), inputs)
    assert found["output_probability"].shape == (3, 3)


def test_an_output_of_a_chain_of_operators_without_a_type(tmp_path: Path) -> None:
    """The type follows the first input through operators that keep it; a Cast tells its own."""
    nodes = [
        helper.make_node("Add", ["x", "x"], ["a"]),
        helper.make_node("Relu", ["a"], ["y"]),
        helper.make_node("Cast", ["a"], ["z"], to=TensorProto.INT64),
    ]
    model = made.graph([made.value("x", TensorProto.FLOAT, ["N", 2])], [], nodes)
    model.graph.output.extend([ValueInfoProto(name="y"), ValueInfoProto(name="z")])
    found = look(tmp_path, model).signatures[0].outputs
    assert [(one.name, one.dtype) for one in found] == [("y", "FP32"), ("z", "INT64")]


@pytest.mark.parametrize(
    ("operator", "given", "attributes", "kinds", "wanted"),
    [
        ("TopK", ["x", "k"], {}, ["FP32", "INT64"], [[[3.0, 2.0], [9.0, 8.0]], [[1, 2], [0, 1]]]),
        ("Split", ["x"], {"axis": 1}, ["FP32", "FP32"], [[[1.0, 3.0], [9.0, 8.0]], [[2.0, 0.0], [7.0, 6.0]]]),
        ("Sub", ["c", "x"], {}, ["FP32"], [[[0.0, -2.0, -1.0, 1.0], [-8.0, -7.0, -6.0, -5.0]]]),
        ("ArrayFeatureExtractor", ["x", "k"], {"domain": "ai.onnx.ml"}, ["FP32"], [[[2.0], [7.0]]]),
    ],
)
def test_further_outputs_without_a_type(
    tmp_path: Path, operator: str, given: list[str], attributes: dict[str, Any], kinds: list[str], wanted: list[Any]
) -> None:
    """TopK's places, all parts of Split; beside a constant the other input tells the type."""
    names = [f"out{place}" for place in range(len(kinds))]
    fixed = [
        helper.make_tensor("k", TensorProto.INT64, [1], [2]),
        helper.make_tensor("c", TensorProto.FLOAT, [1], [1.0]),
    ]
    nodes = [helper.make_node(operator, given, names, **attributes)]
    model = made.graph(
        [made.value("x", TensorProto.FLOAT, ["N", 4])], [], nodes, tensors=[one for one in fixed if one.name in given]
    )
    model.graph.output.extend(ValueInfoProto(name=name) for name in names)
    info = look(tmp_path, model)
    assert [one.dtype for one in info.signatures[0].outputs] == kinds
    inputs, _ = Rows(served(info), 10).decode([[1.0, 3.0, 2.0, 0.0], [9.0, 8.0, 7.0, 6.0]])
    found = loader.predict(loader.load(str(info.path), {}, Guard(info.names)), served(info), inputs)
    assert [found[name].tolist() for name in names] == wanted


def test_the_largest_of_all_rows_are_no_answers(tmp_path: Path) -> None:
    """An output of TopK along the rows without a type is refused, as before."""
    nodes = [helper.make_node("TopK", ["x", "k"], ["v", "i"], axis=0)]
    fixed = [helper.make_tensor("k", TensorProto.INT64, [1], [2])]
    model = made.graph([made.value("x", TensorProto.FLOAT, ["N", 4])], [], nodes, tensors=fixed)
    model.graph.output.extend([ValueInfoProto(name="v"), ValueInfoProto(name="i")])
    assert look(tmp_path, model).signatures == ()


def test_a_failing_graph_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """onnxruntime's own lines on standard error are no JSON; the failure comes as an exception."""
    info = look(tmp_path, network(28, 28))
    model = loader.load(str(info.path), {}, Guard(info.names))
    with pytest.raises(Exception, match="MatMul"):
        loader.predict(model, served(info), {"x": np.zeros((1, 3, 5, 5), np.float32)})
    assert capfd.readouterr().err == ""


def test_free_sizes_of_a_tflite_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each call resizes the tensors before they are allocated; a size that does not fit leaves the next call whole.

    What the library prints meanwhile, which is no JSON, does not reach standard error.
    """
    path = tmp_path / "m.tflite"
    path.write_bytes(adding([1, 1, 3], free=[1, -1, 3]))
    info = inspect(path, formats=[TfliteFormat()])
    signature = served(info)
    model = tflite_loader.load(str(path), info.options, Guard(info.names))
    for length in (4, 2, 3):
        table = np.full((1, length, 3), 2.0, np.float32)
        found = tflite_loader.predict(model, signature, {spec.name: table for spec in signature.inputs})
        assert next(iter(found.values())).tolist() == (table * 2).tolist()
        wrong = [table, np.zeros((1, length + 5, 3), np.float32)]
        with pytest.raises(tflite_loader.InputError):
            tflite_loader.predict(
                model, signature, dict(zip([one.name for one in signature.inputs], wrong, strict=True))
            )
    assert capfd.readouterr().err == ""
