"""What is read of TensorFlow's and Keras's own files is what the frameworks themselves say of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mlpack.artifacts.model import ModelInfo
from mlpack.cli.app import app
from mlpack.errors import UnreadableModelError
from mlpack.formats.keras import KerasFormat
from mlpack.formats.keras.permitted import LAYERS, OTHERS
from mlpack.formats.savedmodel import SavedModelFormat
from mlpack.formats.savedmodel.operators import registered
from mlpack.pipeline.inspect import inspect
from tests.formats.frameworks import GUARD, made, run

pytestmark = pytest.mark.slow

MAKER = "make_tf_models.py"
TOLD = """
import json, sys
import tensorflow as tf
found = {}
for name in sys.argv[2:]:
    signatures = tf.saved_model.load(f"{sys.argv[1]}/{name}").signatures
    found[name] = {
        key: {
            "inputs": {one: [spec.dtype.name, spec.shape.as_list()] for one, spec in call.structured_input_signature[1].items()},
            "outputs": {
                one: [spec.dtype.name, None if spec.shape.rank is None else spec.shape.as_list()]
                for one, spec in call.structured_outputs.items()
            },
        }
        for key, call in signatures.items()
    }
print(json.dumps(found))
"""
NAMES = """
import json
import tensorflow as tf, keras, tf_keras
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session as session

def classes(module):
    return [name for name in dir(module) if name[0].isupper() and isinstance(getattr(module, name), type)]

ops = op_def_pb2.OpList.FromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
print(json.dumps({
    "ops": [op.name for op in ops.op],
    "layers": classes(keras.layers) + classes(tf_keras.layers),
    "others": [name for one in (keras, tf_keras)
               for part in ("initializers", "regularizers", "constraints", "losses", "metrics", "optimizers")
               for name in classes(getattr(one, part))],
}))
"""
ECHO = """
import sys
from types import SimpleNamespace
import numpy as np, tensorflow as tf
from tests.loading import module_at

model = tf.Module()
model.serve = tf.function(lambda blob: {"echo": tf.reverse(blob, [0])}, input_signature=[tf.TensorSpec([None], tf.string, name="blob")])
tf.saved_model.save(model, sys.argv[2], signatures={"serving_default": model.serve})
loader = module_at(sys.argv[1], "loader")
signature = SimpleNamespace(name="serving_default", outputs=[SimpleNamespace(name="echo")])
blobs = np.array([bytes([0x89, 0xFF, 0]), "\u00c5"], dtype=object)
print(ascii(loader.predict(loader.load(sys.argv[2], {}, SimpleNamespace(check=lambda kind, names: None)), signature, {"blob": blobs})["echo"].tolist()))
"""
GUARDED = """
import json, os, sys
import tensorflow as tf
from tests.loading import module_at
v1 = tf.compat.v1
folder, canary = sys.argv[1:3]

for name in ("harmless", "hostile", "printing"):
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        if name == "hostile":
            first = tf.io.write_file(canary, "x")
        elif name == "printing":
            first = tf.print("x", output_stream=f"file://{canary}.print")
        else:
            first = tf.no_op()
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": tf.identity(x)})
        builder = v1.saved_model.Builder(f"{folder}/{name}")
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, main_op=first)
        builder.save()
# The attribute that names the file, with its value before its key: TensorFlow reads it all the same.
with open(f"{folder}/printing/saved_model.pb", "rb+") as file:
    text = file.read()
    start = text.rindex(b"\\n\\routput_stream\\x12")
    key, value = text[start : start + 15], text[start + 15 : start + 17 + text[start + 16]]
    assert text.count(key + value) == 1
    file.seek(0)
    file.write(text.replace(key + value, value + key))

loader, guard = module_at(sys.argv[3], "loader"), module_at(sys.argv[4], "guard")
names = sorted(loader._operators(f"{folder}/harmless", ["serve"]))
listed = guard.Guard({"operators": [*names, "PrintV2", "StringFormat"]})
loader.load(f"{folder}/harmless", {}, listed)


def refused(name):
    try:
        loader.load(f"{folder}/{name}", {}, listed)
    except guard.NotInspectedError as error:
        return str(error)


said = [refused("hostile"), refused("printing")]
canaries = [canary, f"{canary}.print"]
early = [os.path.exists(one) for one in canaries]
for name in ("hostile", "printing"):
    tf.saved_model.load(f"{folder}/{name}", tags=["serve"])
print(json.dumps([names, said, early, [os.path.exists(one) for one in canaries]]))
"""
STUB = """
import json, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import predict
model = predict.load(sys.argv[1] + "/sequential.weights.h5")
print(json.dumps(predict.predict(model, {"input": np.array(json.loads(sys.argv[2]), dtype="float32")}).tolist()))
"""
DTYPES = {"float32": "FP32", "float64": "FP64", "int64": "INT64", "int32": "INT32", "bool": "BOOL", "string": "BYTES"}


def looked_at(path: Path) -> ModelInfo:
    return inspect(path, formats=[KerasFormat(), SavedModelFormat()])


def asked(program: str, *words: str) -> Any:
    """What a program says that runs with the frameworks."""
    return json.loads(run("-c", program, *words).splitlines()[-1])


def test_bytes_that_are_no_text_come_back_whole(tmp_path: Path) -> None:
    """A SavedModel's strings are bytes: UTF-8 is told as a text, all else as it is."""
    said = run("-c", ECHO, str(SavedModelFormat.loader), str(tmp_path / "echo"))
    assert said.splitlines()[-1:] == [r"['\xc5', b'\x89\xff\x00']"]


def test_signatures_are_those_that_tensorflow_tells() -> None:
    """Every signature's tensors, by name, type and shape, of SavedModels of TensorFlow, Keras 3 and Keras 2."""
    for kind, names in (("tensorflow", ["softmax", "two", "named", "examples", "one"]), ("keras", ["exported"])):
        folder = made(MAKER, kind)
        for name, wanted in asked(TOLD, str(folder), *names).items():
            info = looked_at(folder / name)
            assert info.safety.verdict == "safe"
            assert {one.name for one in info.signatures} == set(wanted)
            for signature in info.signatures:
                for side, specs in (("inputs", signature.inputs), ("outputs", signature.outputs)):
                    real = wanted[signature.name][side]
                    assert {spec.name: spec.dtype for spec in specs} == {
                        key: DTYPES[one[0]] for key, one in real.items()
                    }
                    for spec in specs:
                        lengths = [-1 if one is None else one for one in real[spec.name][1]]
                        assert list(spec.shape)[1:] == lengths[1:]


def test_what_cannot_be_served_and_what_is_dangerous() -> None:
    """Real files without a signature, with Python or file operations, with code in Lambda layers, of weights alone."""
    models, keras, legacy = (made(MAKER, kind) for kind in ("tensorflow", "keras", "legacy"))
    assert looked_at(models / "mute").advice
    for name in (models / "reading", models / "python"):
        assert looked_at(name).safety.verdict == "dangerous", name
    for name in (keras / "lambda.keras", keras / "lambda.h5", legacy / "lambda2.h5"):
        assert looked_at(name).safety.verdict == "unknown", name
        assert "<lambda>(x), constants 1" in looked_at(name).safety.findings[0].why
    weights = looked_at(keras / "sequential.weights.h5")
    assert (weights.root_class, weights.details["parameters"]) == ("keras weights", 4 * 8 + 8 + 8 * 3 + 3)
    assert looked_at(keras / "own.keras").options["own"] == {"mine>Doubled": "__main__.Doubled"}


def test_ragged_and_sparse_tensors_are_told_to_be_no_rows() -> None:
    """Of real files: as arguments, where the signature lists but their parts, and as answers; what to do stands with it."""
    models, legacy = made(MAKER, "tensorflow"), made(MAKER, "legacy")
    for path, why in (
        (models / "ragged", "it takes a ragged tensor, and x, x_1 are the parts of it"),
        (models / "sparse", "it takes a sparse tensor, and x, x_1, x_2 are the parts of it"),
        (legacy / "sparse", "it takes a sparse tensor, and args_0, args_0_1, args_0_2 are the parts of it"),
        (models / "words", "y is a sparse or ragged tensor"),
    ):
        info = looked_at(path)
        assert not info.signatures
        assert why in info.warnings[0]
        assert "tf.RaggedTensor.from_tensor" in info.advice


def test_weights_with_the_stub_filled_in(tmp_path: Path) -> None:
    """What `mlpack init` writes beside weights answers, once its `make_model` is filled in, what the whole model answers."""
    folder = made(MAKER, "keras")
    shutil.copy(folder / "sequential.weights.h5", tmp_path)
    assert CliRunner().invoke(app, ["init", str(tmp_path / "sequential.weights.h5")]).exit_code == 0
    stub = tmp_path / "predict.py"
    raises = next(line for line in stub.read_text().splitlines() if "raise NotImplementedError" in line)
    model = 'layers = keras.layers; return keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")])'
    stub.write_text(stub.read_text().replace(raises.strip(), model))
    wanted = json.loads((folder / "sequential.answers.json").read_text())["predict"]
    rows = [row for row in wanted["inputs"]["features"] if None not in row][4:]
    answers = asked(STUB, str(tmp_path), json.dumps(rows))
    kept = [
        row
        for row, given in zip(wanted["outputs"]["species"], wanted["inputs"]["features"], strict=True)
        if None not in given
    ]
    assert np.allclose(answers, np.array(kept[4:], dtype=float), rtol=1e-4)


def test_the_image_refuses_operators_that_were_not_inspected(tmp_path: Path) -> None:
    """Files that write when they are loaded, with the card of a harmless one: refused before TensorFlow loads them."""
    parts = (SavedModelFormat.loader, GUARD)
    names, said, early, late = asked(GUARDED, str(tmp_path), str(tmp_path / "canary"), *map(str, parts))
    assert "WriteFile" in said[0]
    assert "PrintV2 output_stream sha256:" in said[1]
    assert (early, late) == ([False, False], [True, True])
    assert tuple(names) == looked_at(tmp_path / "harmless").names["operators"]
    assert looked_at(tmp_path / "hostile").safety.verdict == "dangerous"
    with pytest.raises(UnreadableModelError, match="order"):
        looked_at(tmp_path / "printing")


def test_keras_2_is_told_from_keras_3() -> None:
    """What only Keras 2 reads is served by tf-keras, as HDF5 and as a SavedModel that holds its objects."""
    folder = made(MAKER, "legacy")
    for name in ("lstm.h5", "lstm_saved"):
        info = looked_at(folder / name)
        assert info.options["legacy"] is True
        assert "tf-keras" in {one.distribution for one in info.requirements}
        assert info.safety.verdict == "safe"


def test_names_are_those_of_the_frameworks() -> None:
    """No operation of TensorFlow's and no class of Keras's is taken for somebody's own."""
    names = asked(NAMES)
    assert set(names["ops"]) <= registered()
    assert set(names["layers"]) - LAYERS <= {"Input", "Layer", "InputSpec"}
    assert set(names["others"]) <= LAYERS | OTHERS
