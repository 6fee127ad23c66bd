"""ONNX files read as data: signatures, labels, versions, data files; and what the loader answers is what onnxruntime answers."""

from __future__ import annotations

import gzip
import json
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_iris

from mlpack.artifacts.model import ModelInfo, Signature
from mlpack.errors import UnreadableModelError, UnsafeModelError
from mlpack.formats.onnx import OnnxFormat, loader
from mlpack.pipeline.inspect import inspect
from mlpack.readers.bundle_files import content_of
from mlpack.runtime.card import Signature as Served
from mlpack.runtime.errors import BadInputError
from mlpack.runtime.models.calls import call
from mlpack.runtime.models.guard import Guard
from mlpack.runtime.protocols.encoding.rows import Rows
from tests.formats import onnx_models as made
from tests.formats.onnx_operators import missing
from tests.messages import varint
from tests.unit.locks import make_lock, render_lock


def saved(folder: Path, model: Any, name: str = "m.onnx") -> Path:
    (folder / name).write_bytes(model.SerializeToString())
    return folder / name


def look(path: Path) -> ModelInfo:
    return inspect(path, formats=[OnnxFormat()])


def served(info: ModelInfo) -> Signature:
    return info.signatures[0]


def answers(path: Path, info: ModelInfo, instances: list[Any]) -> dict[str, Any]:
    """What the service says of the rows: decoded as a request is, called as the runtime calls a loader."""
    signature = Served.from_json(json.loads(json.dumps(served(info).to_json())))
    arrays, _ = Rows(signature, 1000).decode(instances)
    return dict(call(loader, loader.load(str(path), info.options, Guard(info.names)), signature, arrays))


def test_a_classifier_of_skl2onnx(tmp_path: Path) -> None:
    """Producer, operator sets, labels in the order of the probabilities; ZipMap's dictionaries come as an array of them."""
    path = saved(tmp_path, made.iris())
    info = look(path)
    assert (info.framework, info.task, info.safety.verdict) == ("onnxruntime", "classifier", "safe")
    assert info.classes == ("setosa", "versicolor", "virginica")
    assert info.details["producer"].startswith("skl2onnx")
    assert info.details["opsets"]["ai.onnx"] == made.OPSET
    signature = served(info)
    assert (signature.layout, signature.batch, signature.batchable) == ("matrix", "any", True)
    assert [one.to_json() for one in signature.inputs] == [{"name": "X", "dtype": "FP32", "shape": [-1, 4]}]
    assert [(one.name, one.dtype, one.shape) for one in signature.outputs] == [
        ("output_label", "BYTES", (-1,)),
        ("output_probability", "FP32", (-1, 3)),
    ]
    rows = load_iris().data.astype(np.float32)
    label, table = onnxruntime.InferenceSession(path).run(None, {"X": rows})
    found = answers(path, info, rows.tolist())
    assert found["output_label"].tolist() == label.tolist()
    expected = [[row[name] for name in info.classes] for row in table]
    np.testing.assert_array_equal(found["output_probability"], np.array(expected, np.float32))


def test_rows_that_would_be_scaled_together_are_asked_alone(tmp_path: Path) -> None:
    """A dynamically quantized graph: a row's answer in company is its answer alone, and the reason is told."""
    path = saved(tmp_path, made.quantized())
    info = look(path)
    assert (served(info).batch, served(info).layout) == ("one", "matrix")
    assert info.warnings == (
        "It quantizes by the value range of a whole call, so each row is predicted in its own call.",
    )
    rows = [[0.1, 0.7], [1000.0, -3.0]]
    session = onnxruntime.InferenceSession(path)
    alone = [session.run(None, {"x": np.array([row], np.float32)})[0][0] for row in rows]
    assert answers(path, info, rows)["y"].tolist() == [one.tolist() for one in alone]


def test_columns_by_name(tmp_path: Path) -> None:
    """Inputs of shape [N, 1] are columns: a row is a record of plain values, numbers and texts."""
    path = saved(tmp_path, made.passengers())
    info = look(path)
    signature = served(info)
    assert signature.layout == "columns"
    assert [(one.name, one.dtype, one.shape) for one in signature.inputs] == [
        ("age", "FP32", (-1,)), ("fare", "FP32", (-1,)), ("sex", "BYTES", (-1,)), ("port", "BYTES", (-1,)),
    ]  # fmt: skip
    records: list[dict[str, Any]] = [
        {"age": 30.0, "fare": 7.25, "sex": "male", "port": "S"},
        {"age": 3, "fare": 1e6, "sex": "female", "port": "never seen"},
        {"age": None, "fare": 0, "sex": "", "port": "Ünïcode ☃"},
    ]
    found = answers(path, info, records)
    session = onnxruntime.InferenceSession(path)
    for row, record in enumerate(records):
        feed = {
            name: np.array(
                [[np.nan if value is None else value]], dtype=object if isinstance(value, str) else np.float32
            )
            for name, value in record.items()
        }
        label, table = session.run(None, feed)
        assert found["output_label"][row] == label[0]
        np.testing.assert_allclose(found["output_probability"][row], list(table[0].values()), rtol=1e-6)
    with pytest.raises(BadInputError, match=r'column "sex": expected a string \(BYTES\), got null'):
        answers(path, info, [{**records[0], "sex": None}])
    with pytest.raises(loader.InputError, match="'port' is not UTF-8"):
        answers(path, info, [{**records[0], "port": b"\xff"}])


@pytest.mark.parametrize(
    ("shape", "answer", "layout", "batch", "spec"),
    [
        (["N", 3], None, "matrix", "any", (-1, 3)),
        ([None, None], None, "matrix", "any", (-1, -1)),
        (["N", "T", 3], None, "tensors", "any", (-1, "T", 3)),
        (["N"], None, "columns", "any", (-1,)),
        ([1, 3], None, "matrix", "one", (-1, 3)),
        ([1, 2, 3], None, "tensors", "one", (-1, 2, 3)),
        (["N", 3], [1, 3], "matrix", "one", (-1, 3)),
        ([2, 3], None, "tensors", "none", (-1, 2, 3)),
        ([], None, "tensors", "none", (-1,)),
    ],
)  # fmt: skip
def test_the_axis_of_the_rows(tmp_path: Path, shape: Any, answer: Any, layout: str, batch: str, spec: Any) -> None:
    """A free axis 0 takes any number of rows, one of length 1 is asked row by row, any other is none; all answer rows."""
    path = saved(tmp_path, made.doubling(shape, answer))
    info = look(path)
    signature = served(info)
    assert (signature.layout, signature.batch, signature.inputs[0].shape) == (layout, batch, spec)
    one = np.arange(1, 1 + np.prod([2 if isinstance(size, str) or size == -1 else size for size in spec[1:]]))
    one = one.reshape([2 if isinstance(size, str) or size == -1 else size for size in spec[1:]]).astype(np.float32)
    rows = [(one * factor).tolist() for factor in (1, -2, 0.5)]
    np.testing.assert_array_equal(answers(path, info, rows)["y"], np.array(rows, np.float32) * 2)


@pytest.mark.parametrize(
    ("dtype", "name", "rows"),
    [
        (TensorProto.FLOAT16, "FP16", [[0.5, 65504], [None, -1]]),
        (TensorProto.DOUBLE, "FP64", [[1e300, -0.0], [None, 2]]),
        (TensorProto.INT8, "INT8", [[1, -2]]),
        (TensorProto.INT16, "INT16", [[1, -2]]),
        (TensorProto.INT32, "INT32", [[1, -(2**30)]]),
        (TensorProto.INT64, "INT64", [[1, 2**60]]),
        (TensorProto.UINT8, "UINT8", [[1, 100]]),
        (TensorProto.UINT16, "UINT16", [[1, 100]]),
        (TensorProto.UINT32, "UINT32", [[1, 100]]),
        (TensorProto.UINT64, "UINT64", [[1, 2**62]]),
    ],
)
def test_element_types(tmp_path: Path, dtype: int, name: str, rows: Any) -> None:
    """Every number type that a request can carry goes in and comes out as it is."""
    path = saved(tmp_path, made.doubling(["N", 2], None, dtype))
    info = look(path)
    assert served(info).inputs[0].dtype == name
    if name in ("INT8", "INT16", "UINT8", "UINT16"):
        return  # onnxruntime has no Add of them; the graph is only read
    kind = np.dtype(helper.tensor_dtype_to_np_dtype(dtype))
    expected = np.array([[np.nan if value is None else value for value in row] for row in rows], kind)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(answers(path, info, rows)["y"], expected + expected)


def test_booleans_and_texts(tmp_path: Path) -> None:
    """True and false, and texts of any letters, are carried in both directions."""
    node = helper.make_node("Not", ["x"], ["y"])
    path = saved(
        tmp_path,
        made.graph(
            [made.value("x", TensorProto.BOOL, ["N", 2])], [made.value("y", TensorProto.BOOL, ["N", 2])], [node]
        ),
    )
    assert answers(path, look(path), [[True, False]])["y"].tolist() == [[False, True]]
    node = helper.make_node("Identity", ["x"], ["y"])
    path = saved(
        tmp_path, made.graph([made.value("x", made.STRING, ["N"])], [made.value("y", made.STRING, ["N"])], [node])
    )
    assert answers(path, look(path), ["", "süß ☃", "a"])["y"].tolist() == ["", "süß ☃", "a"]


def test_inputs_that_are_initializers_are_none(tmp_path: Path) -> None:
    """Old exporters list every tensor as an input: only what the file has no value of is asked for."""
    model = made.wide(4)
    model.graph.input.append(made.value("W", made.FLOAT, [4, 3]))
    info = look(saved(tmp_path, model))
    assert [one.name for one in served(info).inputs] == ["x"]
    assert info.details["parameters"] == 15


def test_several_inputs_and_a_state(tmp_path: Path) -> None:
    """A state of shape [2, B, 3] beside a signal leaves no axis for rows: a row holds every tensor whole."""
    nodes = [helper.make_node("Add", ["state", "state"], ["next"]), helper.make_node("Mul", ["x", "rate"], ["y"])]
    inputs = [
        made.value("x", made.FLOAT, ["B", "T"]),
        made.value("state", made.FLOAT, [2, "B", 3]),
        made.value("rate", made.FLOAT, []),
    ]
    outputs = [made.value("y", made.FLOAT, ["B", "T"]), made.value("next", made.FLOAT, [2, "B", 3])]
    path = saved(tmp_path, made.graph(inputs, outputs, nodes))
    info = look(path)
    assert (served(info).batch, served(info).inputs[1].shape, served(info).inputs[2].shape) == (
        "none",
        (-1, 2, "B", 3),
        (-1,),
    )
    row = {"x": [[1, 2, 3]], "state": [[[1, 2, 3]], [[4, 5, 6]]], "rate": 2}
    found = answers(path, info, [row, row])
    assert found["y"].tolist() == [[[2, 4, 6]]] * 2
    assert found["next"].shape == (2, 2, 1, 3)


def test_operators_of_others(tmp_path: Path) -> None:
    """An operator that onnxruntime does not have makes the verdict `unknown`, names it, and says what to do; one that the file defines is known."""
    info = look(saved(tmp_path, made.foreign()))
    assert info.safety.verdict == "unknown"
    assert [one.callable for one in info.safety.findings] == ["acme.ops.Twist"]
    assert not info.signatures
    assert "predictor:" in info.advice
    model = made.foreign()
    twist = helper.make_function(
        "acme.ops",
        "Twist",
        ["x"],
        ["y"],
        [helper.make_node("Neg", ["x"], ["y"])],
        [helper.make_opsetid("", made.OPSET)],
    )
    model.functions.append(twist)
    path = saved(tmp_path, model)
    assert look(path).safety.verdict == "safe"
    assert answers(path, look(path), [[1, 2]])["y"].tolist() == [[-1, -2]]
    node = helper.make_node("PythonOp", ["x"], ["y"], domain="com.microsoft")
    edge = [made.value("x", made.FLOAT, ["N", 2])], [made.value("y", made.FLOAT, ["N", 2])]
    calls = made.graph(*edge, [node], opsets={"": made.OPSET, "com.microsoft": 1})
    assert look(saved(tmp_path, calls)).safety.verdict == "dangerous"


def test_the_runtime_that_reads_it(tmp_path: Path) -> None:
    """The newest onnxruntime that reads the file's IR and operator sets; what no known one reads is told."""
    model = made.doubling(["N", 2])
    needs = look(saved(tmp_path, model)).requirements[0]
    assert (needs.distribution, needs.newest, needs.constraint) == ("onnxruntime", True, ">=1.15")
    model.opset_import[0].version = 23
    assert look(saved(tmp_path, model)).requirements[0].constraint == ">=1.23"
    model.opset_import[0].version = 99
    assert any("too new" in one for one in look(saved(tmp_path, model)).warnings)
    model.opset_import[0].version = 4
    assert any("version_converter" in one for one in look(saved(tmp_path, model)).warnings)


def test_what_this_runtime_reads_is_in_the_table() -> None:
    """The tables' newest rows are what the installed onnxruntime reads, when it is the newest that they know."""
    from mlpack.formats.onnx.versions import _IRS, _OPSETS

    here = ".".join(onnxruntime.__version__.split(".")[:2])
    most = max((opset for opset, release in _OPSETS.items() if release == here), default=None)
    if most is None:
        pytest.skip(f"onnxruntime {here} is not a row of the table")
    model = made.doubling(["N", 2])
    model.opset_import[0].version = most
    model.ir_version = max(ir for ir, release in _IRS.items() if release == here)
    onnxruntime.InferenceSession(model.SerializeToString())
    model.opset_import[0].version = most + 1
    with pytest.raises(Exception, match=r"(?i)opset"):
        onnxruntime.InferenceSession(model.SerializeToString())


def shipped(info: ModelInfo) -> dict[str, bytes]:
    """The model's files as the engine would get them."""
    bundle = render_lock(make_lock(info.path, info=info), name="m")
    return {file.name: b"".join(content_of(file)) for file in bundle.files if file.name.startswith("model/")}


@pytest.mark.parametrize("packing", ["plain", "folder", "zip", "gzip"])
def test_where_it_lies(tmp_path: Path, packing: str) -> None:
    """Beside its data file, in a folder, zipped or gzipped: the image holds the plain files that onnxruntime reads."""
    model = made.wide()
    path = tmp_path / "net.onnx"
    if packing == "gzip":
        path = tmp_path / "net.onnx.gz"
        path.write_bytes(gzip.compress(model.SerializeToString()))
    else:
        made.write_external(model, path)
    if packing == "zip":
        with zipfile.ZipFile(tmp_path / "net.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, "export/net.onnx")
            archive.write(tmp_path / "weights.bin", "export/weights.bin")
        path = tmp_path / "net.zip"
    info = look(tmp_path if packing == "folder" else path)
    assert served(info).layout == "matrix"
    files = shipped(info)
    assert sorted(files) == ["model/net.onnx", *(["model/weights.bin"] if packing != "gzip" else [])]
    there = tmp_path / "image"
    for name, content in files.items():
        (there / name).parent.mkdir(parents=True, exist_ok=True)
        (there / name).write_bytes(content)
    rows = np.random.default_rng(0).normal(size=(5, 500)).astype(np.float32)
    weights = numpy_helper.to_array(made.wide().graph.initializer[0])
    found = answers(there / "model/net.onnx", info, rows.tolist())["y"]
    np.testing.assert_allclose(found, rows @ weights + 1, rtol=2e-4, atol=1e-4)


def test_data_files_that_are_missing_or_elsewhere(tmp_path: Path) -> None:
    """A missing data file is named; one outside the folder, by its name or by a link, is never followed."""
    path = tmp_path / "in" / "net.onnx"
    path.parent.mkdir()
    made.write_external(made.wide(), path)
    (path.parent / "weights.bin").rename(tmp_path / "weights.bin")
    with pytest.raises(UnreadableModelError, match=r"lacks external data files: weights\.bin"):
        look(path)
    (path.parent / "weights.bin").symlink_to(tmp_path / "weights.bin")
    with pytest.raises(UnsafeModelError, match="outside its folder"):
        look(path)
    model = onnx.load_model(path, load_external_data=False)
    for location in ("../weights.bin", str(tmp_path / "weights.bin"), "a/../../weights.bin", "..\\weights.bin", "w\nx"):
        model.graph.initializer[0].external_data[0].value = location
        path.write_bytes(model.SerializeToString())
        with pytest.raises(UnsafeModelError, match="outside its folder"):
            look(path)


def test_a_language_for_texts(tmp_path: Path) -> None:
    """StringNormalizer needs a language's rules, which are then made in the image; others need none."""
    info = look(saved(tmp_path, made.words()))
    assert info.locales == ("en_US.UTF-8",)
    bundle = render_lock(make_lock(info.path, info=info), name="m")
    text = next(file.content for file in bundle.files if file.name == "Dockerfile") or b""
    golden = Path(__file__).parents[1] / "golden" / "locale" / "Dockerfile"
    if os.environ.get("MLPACK_UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_bytes(text)
    assert text == golden.read_bytes()
    assert look(saved(tmp_path, made.doubling(["N", 2]))).locales == ()


def test_damaged_files(tmp_path: Path) -> None:
    """Cut anywhere, a file is unreadable, never a traceback and never a model."""
    data = made.iris().SerializeToString()
    path = tmp_path / "m.onnx"
    for size in (10, 60, len(data) // 3, len(data) // 2, len(data) - 20):
        path.write_bytes(data[:size])
        with pytest.raises(UnreadableModelError, match="cannot be read to the end"):
            look(path)


def test_two_gigabytes_are_stepped_over(tmp_path: Path) -> None:
    """The numbers of a tensor are not read: a file of 2 GB with one big tensor is known from the little around it."""
    model, big = made.wide(4), 2 << 30
    around = model.graph.SerializeToString()
    model.ClearField("graph")
    tensor = helper.make_tensor("big", made.FLOAT, [0], b"", raw=True)
    tensor.ClearField("raw_data")
    inner = tensor.SerializeToString() + b"\x4a" + varint(big)  # raw_data, whose bytes follow
    initializer = around + b"\x2a" + varint(len(inner) + big) + inner
    head = model.SerializeToString() + b"\x3a" + varint(len(initializer) + big) + initializer
    path = tmp_path / "big.onnx"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + big)
    info = look(path)
    assert info.size > big
    assert info.details["parameters"] == 15


def test_threads_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """OMP_NUM_THREADS says how many threads; without it no more than this process may use."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert loader._threads() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert 1 <= loader._threads() <= len(os.sched_getaffinity(0))


def test_rows_of_another_width_are_the_askers_fault(tmp_path: Path) -> None:
    """What onnxruntime refuses about a row's axes is told as a bad input."""
    path = saved(tmp_path, made.doubling(["N", 3]))
    signature = SimpleNamespace(outputs=[SimpleNamespace(name="y")], classes=None)
    with pytest.raises(loader.InputError, match="dimensions"):
        loader.predict(loader.load(str(path), {}, Guard({})), signature, {"x": np.ones((1, 2), np.float32)})


def test_operators_of_this_runtime_are_listed() -> None:
    """Every operator that onnxruntime has outside of the standard's domains is allowed by name, or left out on purpose."""
    assert missing() == []
