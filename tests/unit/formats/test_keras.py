"""Keras files as data: what the configuration tells, what code hides in it, and files that are cut, broken or hostile."""

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import UnknownFormatError, UnreadableModelError
from mlpack.formats.base import Artifact
from mlpack.formats.keras import KerasFormat, _model
from mlpack.formats.keras.files import KerasFile
from mlpack.pipeline.inspect import inspect


def looked_at(path: Path) -> ModelInfo:
    return inspect(path, formats=[KerasFormat()])


def layer(kind: str, name: str, *calls: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    """A layer as Keras 3 writes it; `calls` are the layers whose outputs it takes."""
    tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": [one, 0, 0]}} for one in calls]
    found = {
        "module": module,
        "class_name": kind,
        "config": {"name": name, **config},
        "registered_name": None,
        "name": name,
    }
    return {**found, "inbound_nodes": [{"args": tensors, "kwargs": {}}]} if calls else found


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


FEATURES = layer("InputLayer", "features", batch_shape=[None, 4], dtype="float32")
DENSE = layer("Dense", "species", units=3)
ARTIFACT = Artifact(path=Path("m.keras"), size=1, head=b"")


def archive(path: Path, config: Any, *, version: str = "3.15.1", extra: tuple[str, ...] = ()) -> Path:
    """A .keras archive with weights that h5py wrote."""
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file.create_dataset("layers/dense/vars/0", data=np.zeros((4, 3), dtype="float32"))
        file.create_dataset("optimizer/vars/0", data=np.zeros(1000))
    with zipfile.ZipFile(path, "w") as members:
        members.writestr("metadata.json", json.dumps({"keras_version": version}))
        members.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        members.writestr("model.weights.h5", weights.getvalue())
        for name in extra:
            members.writestr(name, "x")
    return path


def hdf5(path: Path, config: Any, version: str = "2.4.0") -> Path:
    with h5py.File(path, "w") as file:
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
        else:
            file.attrs["layer_names"] = [b"dense"]
        file.attrs["keras_version"] = version
        file.attrs["backend"] = "tensorflow"
        file.create_dataset("model_weights/dense/kernel:0", data=np.zeros((4, 3), dtype="float32"))
    return path


def test_a_sequential_archive(tmp_path: Path) -> None:
    """Its input, output, version and weights; it needs Keras at that version, and no tf-keras."""
    found = looked_at(archive(tmp_path / "m.keras", sequential(FEATURES, DENSE)))
    (signature,) = found.signatures
    assert (signature.layout, signature.inputs[0].shape, signature.batchable) == ("matrix", (-1, 4), True)
    assert (signature.outputs[0].name, signature.outputs[0].shape) == ("species", (-1, 3))
    assert (found.framework_version, found.excludes, found.safety.verdict) == ("3.15.1", (), "safe")
    assert {one.distribution: one.version for one in found.requirements} == {"keras": "3.15.1", "tensorflow": None}
    assert found.details["parameters"] == 12  # without the optimizer's


def test_a_functional_model_of_keras_3(tmp_path: Path) -> None:
    """Several inputs in the model's order, of their own types, and outputs whose shapes follow from the layers between."""
    layers = [
        layer("InputLayer", "kind", batch_shape=[None, 1], dtype="int32"),
        layer("Embedding", "embedding", "kind", input_dim=10, output_dim=4),
        layer("InputLayer", "readings", batch_shape=[None, 8], dtype="float32"),
        layer("Flatten", "flatten", "embedding"),
        layer("Concatenate", "joined", "readings", "flatten", axis=-1),
        layer("RepeatVector", "repeated", "joined", n=5),
        layer("Bidirectional", "both", "repeated", layer={"class_name": "GRU", "config": {"units": 6}}),
        layer("Dense", "score", "both", units=1),
    ]
    ends = {"input_layers": [["readings", 0, 0], ["kind", 0, 0]], "output_layers": [["score", 0, 0], ["both", 0, 0]]}
    config = {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional"}
    found = looked_at(archive(tmp_path / "m.keras", {**config, "config": {"name": "f", "layers": layers, **ends}}))
    (signature,) = found.signatures
    assert [(one.name, one.dtype, one.shape) for one in signature.inputs] == [
        ("readings", "FP32", (-1, 8)), ("kind", "INT32", (-1, 1)),
    ]  # fmt: skip
    assert [(one.name, one.shape) for one in signature.outputs] == [("score", (-1, 1)), ("both", (-1, 12))]
    assert found.safety.verdict == "safe"


def test_hdf5_of_keras_2(tmp_path: Path) -> None:
    """The name that Keras had in TensorFlow is no version to pin: tf-keras reads it, and `tensorflow` stays out."""
    layers = [
        {
            "class_name": "LSTM",
            "config": {"name": "lstm", "units": 5, "batch_input_shape": [None, 1000, 4], "dtype": "float32"},
        },
        {"class_name": "Dense", "config": {"name": "out", "units": 2}},
    ]
    found = looked_at(hdf5(tmp_path / "m.h5", {"class_name": "Sequential", "config": layers}, "2.2.4-tf"))
    (signature,) = found.signatures
    assert (signature.inputs[0].name, signature.inputs[0].shape) == ("lstm_input", (-1, 1000, 4))
    assert signature.outputs[0].shape == (-1, 2)
    assert found.excludes == ("tensorflow",)
    assert {one.distribution: one.newest for one in found.requirements} == {"tf-keras": True, "tensorflow": True}
    assert found.options["legacy"] is True


@pytest.mark.parametrize(
    ("word", "legacy", "needed"),
    [
        (None, True, {"tf-keras": None, "tensorflow": None}),
        ("tensorflow==2.12.0", False, {"tensorflow": "2.12.0"}),
        ("keras==2.12.1", False, {"tensorflow": "2.12.0"}),
        ("keras==3.3.3", False, {"keras": "3.3.3", "tensorflow": None}),
    ],
)
def test_what_the_user_says_comes_first(
    tmp_path: Path, word: str | None, legacy: bool, needed: dict[str, str | None]
) -> None:
    """A file of Keras 2 goes to tf-keras, unless the user names the TensorFlow or the Keras that made it."""
    path = hdf5(tmp_path / "m.h5", sequential(FEATURES, DENSE), "2.9.0")
    found = inspect(path, formats=[KerasFormat()], framework=word)
    assert {one.distribution: one.version for one in found.requirements} == needed
    assert found.options["legacy"] is legacy


def test_an_input_that_is_looked_up(tmp_path: Path) -> None:
    """Whole numbers that a table knows are what a made-up row holds; any other would be refused by the model."""
    layers = [
        {
            "class_name": "Embedding",
            "config": {"name": "e", "input_dim": 5, "output_dim": 2, "batch_input_shape": [None, 9]},
        },
        DENSE,
    ]
    (signature,) = looked_at(
        hdf5(tmp_path / "m.h5", {"class_name": "Sequential", "config": {"layers": layers}})
    ).signatures
    assert (signature.inputs[0].dtype, signature.categories) == ("INT32", {"e_input": (0, 1, 2, 3, 4)})
    inputs = layer("InputLayer", "kind", batch_shape=[None, 1], dtype="int32")
    ends = {"input_layers": [["kind", 0, 0]], "output_layers": [["t", 0, 0]]}
    graph = [inputs, layer("Embedding", "t", "kind", input_dim=100, output_dim=4)]
    config = {"class_name": "Functional", "module": "keras", "config": {"name": "f", "layers": graph, **ends}}
    (signature,) = looked_at(archive(tmp_path / "m.keras", config)).signatures
    assert signature.categories["kind"] == tuple(range(10))


def test_a_batch_that_is_fixed(tmp_path: Path) -> None:
    """A batch of one is asked a row at a time; any other count is what one row of the service holds."""
    one = layer("InputLayer", "x", batch_shape=[1, 4], dtype="float32")
    (signature,) = looked_at(archive(tmp_path / "one.keras", sequential(one, DENSE))).signatures
    assert (signature.batch, signature.inputs[0].shape, signature.outputs[0].shape) == ("one", (-1, 4), (-1, 3))
    eight = layer("InputLayer", "x", batch_shape=[8, 4], dtype="float32")
    (signature,) = looked_at(archive(tmp_path / "eight.keras", sequential(eight, DENSE))).signatures
    assert (signature.batch, signature.inputs[0].shape, signature.outputs[0].shape) == ("none", (-1, 8, 4), (-1, 8, 3))


def test_weights_alone(tmp_path: Path) -> None:
    """Said as such, with their names and what to do; never as a model."""
    old = looked_at(hdf5(tmp_path / "w.h5", None, "2.7.0"))
    with h5py.File(tmp_path / "model.weights.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", data=np.zeros((4, 3), dtype="float32"))
    new = looked_at(tmp_path / "model.weights.h5")
    for found in (old, new):
        assert found.root_class == "keras weights"
        assert found.signatures == ()
        assert "load_weights" in found.advice
        assert found.details["parameters"] == 12
    assert (old.options["legacy"], new.options["legacy"]) == (True, False)


def test_an_architecture_alone(tmp_path: Path) -> None:
    """JSON of `to_json`, of Keras 3 and 2: its layers and own classes, no signature, and code in it is dangerous, nested too."""
    path = tmp_path / "model.json"
    path.write_text(json.dumps({**sequential(FEATURES, DENSE), "keras_version": "2.9.0"}))
    info = looked_at(path)
    assert (info.format, info.framework_version, info.signatures) == ("keras", "2.9.0", ())
    assert (info.safety.verdict, [name for name, _ in info.steps]) == ("safe", ["features", "species"])
    assert "no weights" in info.advice
    code = {"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None]}}
    for hidden in (code, sequential(code), layer("TimeDistributed", "t", layer=code)):
        path.write_text(json.dumps(sequential(FEATURES, hidden)))
        assert looked_at(path).safety.verdict == "dangerous"
    for other in ({"class_name": "Sequential"}, {"class_name": 3, "config": {}}, [{"class_name": "Sequential"}]):
        path.write_text(json.dumps(other))
        with pytest.raises(UnknownFormatError):
            looked_at(path)


@pytest.mark.parametrize("kind", ["a link", "a linked group", "raw bytes", "a view"])
@pytest.mark.parametrize("name", ["m.h5", "m.weights.h5", "m.keras"])
def test_weights_in_another_file_are_dangerous(tmp_path: Path, name: str, kind: str) -> None:
    """HDF5 can keep values in any file of the machine that loads it: links, groups behind one, raw bytes, views."""
    whole = {"m.h5": lambda path: hdf5(path, sequential(FEATURES, DENSE)), "m.keras": lambda path: archive(path, sequential(FEATURES, DENSE))}  # fmt: skip
    held = io.BytesIO((whole["m.h5"](tmp_path / "whole.h5")).read_bytes() if name == "m.h5" else b"")
    with h5py.File(held, "r+" if name == "m.h5" else "w") as file:
        group = file.require_group("layers/dense/vars")
        if kind == "a link":
            group["1"] = h5py.ExternalLink("/etc/other.h5", "/x")
        elif kind == "a linked group":
            file["layers/other"] = h5py.ExternalLink("/etc/other.h5", "/")
        elif kind == "raw bytes":
            group.create_dataset("1", shape=(4,), dtype="u1", external=[("/etc/passwd", 0, 4)])
        else:
            view = h5py.VirtualLayout(shape=(4,), dtype="u1")
            view[:] = h5py.VirtualSource("/etc/other.h5", "x", shape=(4,))
            group.create_virtual_dataset("1", view)
    path = tmp_path / name
    if name == "m.keras":
        with zipfile.ZipFile(whole[name](tmp_path / "whole.keras")) as old, zipfile.ZipFile(path, "w") as new:
            for member in old.namelist():
                new.writestr(member, held.getvalue() if member.endswith(".h5") else old.read(member))
    else:
        path.write_bytes(held.getvalue())
    found = looked_at(path)
    assert found.safety.verdict == "dangerous"
    assert found.safety.findings[0].callable == f"HDF5 layers/{'other' if 'group' in kind else 'dense/vars/1'}"


def test_hdf5_that_is_not_of_keras(tmp_path: Path) -> None:
    """A table in HDF5 is no model, and said to be HDF5."""
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file.create_dataset("table", data=np.zeros(5))
    with pytest.raises(UnknownFormatError, match="HDF5"):
        looked_at(tmp_path / "table.h5")


LAMBDA_3 = layer("Lambda", "l", function={"class_name": "__lambda__", "config": {"code": "4wEAAAA=\n"}})
LAMBDA_2 = {"class_name": "Lambda", "config": {"function": ["4wEAAAA=", None, None], "function_type": "lambda"}}
DANGERS = {
    "lambda of Keras 3": (LAMBDA_3, "Lambda"),
    "lambda of Keras 2": (LAMBDA_2, "Lambda"),
    "lambda in a wrapper": (layer("TimeDistributed", "t", layer=LAMBDA_3), "Lambda"),
    "a function of os": (layer("system", "x", module="os"), "os.system"),
    "a function in an argument": (
        layer("Dense", "d", activation={"class_name": "function", "config": "system", "module": "os"}), "os.system"
    ),
    "a built-in function": (
        layer("Dense", "d", activation={"class_name": "function", "config": "eval", "module": "builtins"}), "builtins.eval"
    ),
    "a built-in as a class": (layer("exec", "x", module="builtins"), "builtins.exec"),
    "a loader of Keras": (layer("load_model", "x", module="keras.models"), "keras.models.load_model"),
    "a download": (
        layer("Lambda", "l", function={"class_name": "function", "config": "get_file", "module": "keras.utils"},
              arguments={"origin": "http://127.0.0.1"}), "keras.utils.get_file"
    ),
    "the switch of its own safety": (
        {"class_name": "function", "config": "enable_unsafe_deserialization", "module": "keras.config"}, "keras.config"
    ),
    "a file of words": (layer("StringLookup", "s", vocabulary="/etc/passwd"), "StringLookup"),
    "TensorFlow's files": ({"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}, "io.write_file"),
    "a pickle in a layer": (layer("TorchModuleWrapper", "t", module="keras.layers"), "TorchModuleWrapper"),
}  # fmt: skip


@pytest.mark.parametrize("name", DANGERS)
def test_code_in_a_configuration(tmp_path: Path, name: str) -> None:
    """Compiled code, modules that can run programs, files of the host: dangerous, wherever they stand, and by name."""
    hidden, said = DANGERS[name]
    for found in (
        looked_at(archive(tmp_path / "m.keras", sequential(FEATURES, hidden, DENSE))),
        looked_at(hdf5(tmp_path / "m.h5", sequential(FEATURES, hidden, DENSE))),
    ):
        assert found.safety.verdict == "dangerous"
        assert any(said in finding.callable for finding in found.safety.findings), found.safety


def test_own_classes_are_asked_for(tmp_path: Path) -> None:
    """A registered class, one of a module, one that only Keras 2 named: each by the path that --include is asked for."""
    registered = {**layer("Doubled", "d", module=None), "registered_name": "mine>Doubled"}
    imported = {**layer("Halved", "h", module="mylayers"), "registered_name": "Halved"}
    found = looked_at(archive(tmp_path / "m.keras", sequential(FEATURES, registered, imported, DENSE)))
    assert found.safety.verdict == "unknown"
    assert found.options["own"] == {"mine>Doubled": "__main__.Doubled", "Halved": "mylayers.Halved"}
    assert found.signatures[0].batchable is False
    old = looked_at(hdf5(tmp_path / "m.h5", sequential(FEATURES, {"class_name": "AttentionX", "config": {}}, DENSE)))
    assert [finding.callable for finding in old.safety.findings] == ["__main__.AttentionX"]


def test_names_that_lead_out_of_the_archive(tmp_path: Path) -> None:
    """A member above the folder that one unpacks into is dangerous, and nothing is unpacked."""
    found = looked_at(archive(tmp_path / "m.keras", sequential(FEATURES, DENSE), extra=("../../mlpack-escaped",)))
    assert found.safety.verdict == "dangerous"
    assert not (tmp_path.parent.parent / "mlpack-escaped").exists()


@pytest.mark.parametrize(
    "config",
    [
        "{", "[]", '{"class_name": 3}', '{"class_name": "Sequential", "config": ' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"class_name": "Sequential", "x": [' + "{}," * 600_000 + "{}]}",
        '{"class_name": "Sequential", "x": "' + "x" * (17 << 20) + '"}',
    ],
    ids=["cut", "no object", "no class", "deep", "wide", "long"],
)  # fmt: skip
def test_configurations_that_are_none(tmp_path: Path, config: str) -> None:
    """What is no configuration, or is out of all proportion, is unreadable; no traceback, no endless walk."""
    with pytest.raises(UnreadableModelError):
        looked_at(archive(tmp_path / "m.keras", config))


def test_hdf5_that_is_broken(tmp_path: Path) -> None:
    """Its signature alone, or cut in the middle: unreadable."""
    data = hdf5(tmp_path / "m.h5", sequential(FEATURES, DENSE)).read_bytes()
    for name, content in (("magic.h5", data[:8] + b"\0" * 40), ("cut.h5", data[:700])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableModelError, match="Keras"):
            looked_at(tmp_path / name)


def test_layers_that_lead_in_circles(tmp_path: Path) -> None:
    """A graph whose layers take each other's outputs ends, with a shape that nobody tells."""
    layers = [
        layer("InputLayer", "x", batch_shape=[None, 4], dtype="float32"),
        layer("Add", "a", "x", "b"), layer("Add", "b", "a"),
    ]  # fmt: skip
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [["b", 0, 0]]}
    config = {"class_name": "Functional", "module": "keras", "config": {"name": "f", "layers": layers, **ends}}
    (signature,) = looked_at(archive(tmp_path / "m.keras", config)).signatures
    assert signature.outputs[0].shape[0] == -1


def test_a_member_of_an_archive(tmp_path: Path) -> None:
    """HDF5 and .keras files are read where they lie in a zip, compressed or not."""
    hdf5(tmp_path / "m.h5", sequential(FEATURES, DENSE))
    archive(tmp_path / "m.keras", sequential(FEATURES, DENSE))
    for name in ("m.h5", "m.keras"):
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with zipfile.ZipFile(tmp_path / "all.zip", "w", method) as members:
                members.write(tmp_path / name, f"deep/{name}")
            found = looked_at(tmp_path / "all.zip")
            assert (found.packed, found.signatures[0].inputs[0].shape) == (f"deep/{name}", (-1, 4))


def test_configurations_with_anything_in_any_place() -> None:
    """Whatever stands where Keras writes something else, a file is an answer or unreadable, and no other failure."""
    layers = [
        layer("InputLayer", "x", batch_shape=[None, 8, 4], dtype="float32"),
        layer("Conv1D", "c", "x", filters=3, kernel_size=[2], strides=[1], padding="same", dilation_rate=[1]),
        layer("Reshape", "r", "c", target_shape=[-1, 3]), layer("Permute", "p", "r", dims=[2, 1]),
        layer("TimeDistributed", "t", "p", layer=DENSE), layer("GlobalMaxPooling1D", "g", "t"),
        layer("Concatenate", "j", "g", "g", axis=-1), layer("Lambda", "l", "j", function=["x", None, None]),
    ]  # fmt: skip
    ends = {"input_layers": [["x", 0, 0]], "output_layers": {"l": ["l", 0, 0]}}
    whole = {
        "class_name": "Functional",
        "module": "keras",
        "config": {"name": "f", "layers": layers, **ends},
        "build_config": {},
    }
    rng = random.Random(11)
    junk: tuple[Any, ...] = (
        None,
        True,
        -1,
        0,
        1 << 70,
        1e308,
        "",
        "x",
        [],
        [[]],
        {},
        {"class_name": "Dense"},
        [None, -5],
        ["x", 0],
    )
    for config in (whole, sequential(FEATURES, *layers[1:])):
        for _ in range(400):
            changed = json.loads(json.dumps(config))
            for _ in range(rng.randrange(1, 4)):
                _spoil(changed, rng, junk)
            document = {"class_name": changed} if not isinstance(changed, dict) else changed
            try:
                told = _model(ARTIFACT, KerasFile(container="zip", config=document, version="3.1.0"), document)
            except (ValueError, RecursionError):
                continue
            json.dumps(told.to_json())


def _spoil(value: Any, rng: random.Random, junk: tuple[Any, ...]) -> None:
    """Puts something else into one place of a document."""
    while isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = rng.choice(keys)
        if not isinstance(value[key], dict | list) or rng.random() < 0.15:
            value[key] = rng.choice(junk)
            return
        value = value[key]
