"""The image's barrier for Keras files: with the names of another file, real Keras 3 and tf-keras never see what asks for more."""

from __future__ import annotations

import base64
import json
import marshal
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import h5py
import pytest

from mlpack.formats.keras import KerasFormat
from mlpack.formats.keras.permitted import (
    CLASSES,
    FUNCTIONS,
    LAYERS,
    MEMBERS,
    NODE_OPERATIONS,
    SYMBOLS,
    has_class,
    has_function,
)
from mlpack.pipeline.inspect import inspect
from tests.formats import frameworks
from tests.formats.frameworks import made

pytestmark = pytest.mark.slow

MAKER = "make_tf_models.py"
LOAD = """
import json, sys
from tests.loading import module_at

loader, guard = module_at(sys.argv[1], "loader"), module_at(sys.argv[2], "guard")
import numpy as np
told = []
for path, names, options, rows in json.load(open(sys.argv[3])):
    try:
        model = loader.load(path, options, guard.Guard(names))
        told.append(["loaded", np.asarray(model.keras_model(np.array(rows, "float32"))).tolist() if rows else None])
    except Exception as error:
        told.append([type(error).__name__, str(error)])
print(json.dumps(told))
"""
NAMES = """
import importlib, json, pkgutil
import keras, tf_keras
import keras.src
from keras.src import api_export
from keras.src.ops.operation import Operation
from tensorflow.python.util import tf_export
from tensorflow.core.framework import op_def_pb2
from tensorflow.python.client import pywrap_tf_session as session

for one in pkgutil.iter_modules(keras.src.ops.__path__, "keras.src.ops."):
    if "_test" not in one.name:
        importlib.import_module(one.name)

def below(kind):
    return [one for inner in kind.__subclasses__() for one in (inner, *below(inner))]

ops = op_def_pb2.OpList.FromString(session.TF_GetBuffer(session.TF_GetAllOpList()))
print(json.dumps({
    "classes": [name for name, one in api_export.REGISTERED_NAMES_TO_OBJS.items() if isinstance(one, type)],
    "functions": [name for name, one in api_export.REGISTERED_NAMES_TO_OBJS.items() if not isinstance(one, type)],
    "operations": [[one.__module__, one.__name__] for one in below(Operation) if one.__module__.startswith("keras.src.ops.")],
    "symbols": [name for name, one in tf_export._NAME_TO_SYMBOL_MAPPING.items() if callable(one)],
    "nodes": [one.name for one in ops.op],
}))
"""


def run(program: str, *words: str) -> Any:
    """What a program tells that runs with the frameworks."""
    return json.loads(frameworks.run("-c", program, *words).splitlines()[-1])


def code(source: str) -> str:
    """A function by value, as Keras writes its text."""
    (found,) = [one for one in compile(source, "c.py", "exec").co_consts if isinstance(one, CodeType)]
    return base64.encodebytes(marshal.dumps(found)).decode()


def hostile(canary: Path) -> Iterator[dict[str, Any]]:
    """Layers that write a file when they are built or called."""
    evil = code(f"def f(x):\n    open({str(canary)!r}, 'w').close()\n    return x")
    node = {"name": "w", "op": "WriteFile", "input": ["a", "b"]}
    system = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
    yield {"class_name": "Lambda", "config": {"name": "h", "function": [evil, None, None], "function_type": "lambda",
                                              "module": "os", "output_shape": None, "output_shape_type": "raw"}}  # fmt: skip
    yield {"class_name": "Lambda", "module": "keras.layers", "registered_name": None, "config": {
        "name": "h", "function": {"class_name": "__lambda__", "config": {"code": evil, "defaults": None, "closure": None}},
    }}  # fmt: skip
    yield {"class_name": "TFOpLambda", "config": {"name": "h", "function": "io.write_file"}}
    yield {"class_name": "TensorFlowOpLayer", "config": {"name": "h", "node_def": node, "constants": {}}}
    yield {"class_name": "Dense", "config": {"name": "h", "units": 2, "activation": system}}
    yield {"class_name": "Dense", "module": "keras.layers", "config": {"name": "h", "units": 2, "activation": system}}
    yield {"class_name": "system", "module": "os", "registered_name": None, "config": {"name": f"touch {canary}"}}
    yield {"class_name": "StringLookup", "config": {"name": "h", "vocabulary": "/etc/passwd"}}
    yield {
        "class_name": "TFSMLayer",
        "module": "keras.layers",
        "registered_name": None,
        "config": {"name": "h", "filepath": "/tmp"},
    }
    yield {"class_name": "Surprise", "module": "mine", "registered_name": "mine>Surprise", "config": {"name": "h"}}


def with_layer(source: Path, dest: Path, layer: dict[str, Any]) -> Path:
    """A copy of a model whose configuration has one more layer."""
    shutil.copy(source, dest)
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(dest, "w") as new:
            for name in old.namelist():
                new.writestr(name, _more(old.read(name), layer) if name == "config.json" else old.read(name))
    else:
        with h5py.File(dest, "r+") as file:
            file.attrs["model_config"] = _more(file.attrs["model_config"], layer)
    return dest


def _more(text: Any, layer: dict[str, Any]) -> str:
    config = json.loads(text)
    config["config"]["layers"].append(layer)
    return json.dumps(config)


def test_with_the_verdict_overridden_nothing_runs(tmp_path: Path) -> None:
    """Every hostile layer in a .keras archive and in HDF5, for Keras 3 and tf-keras, with an innocent file's card: refused.

    As a control, a file with its own names and a function by value runs it, in both.
    """
    keras, legacy = made(MAKER, "keras"), made(MAKER, "legacy")
    canary = tmp_path / "canary"
    jobs = []
    for source, old in ((keras / "sequential.keras", False), (keras / "sequential.h5", False), (legacy / "lstm.h5", True),
                        (keras / "sequential.keras", True)):  # fmt: skip
        info = inspect(source, formats=[KerasFormat()])
        options = {**info.options, "legacy": old}
        for place, layer in enumerate(hostile(canary)):
            path = with_layer(source, tmp_path / f"{place}-{old}-{source.name}", layer)
            assert inspect(path, formats=[KerasFormat()]).safety.verdict != "safe", layer
            jobs.append([str(path), info.names, options, None])
    twice = tmp_path / "twice.keras"
    shutil.copy(keras / "sequential.keras", twice)
    with zipfile.ZipFile(twice, "a") as members, pytest.warns(UserWarning, match="Duplicate"):
        members.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {}}))
    jobs.append(
        [str(twice), inspect(keras / "sequential.keras", formats=[KerasFormat()]).names, {"container": "zip"}, None]
    )
    honest = []
    for own in (keras / "lambda.keras", keras / "lambda.h5", legacy / "lambda2.h5"):
        info = inspect(own, formats=[KerasFormat()])
        assert info.safety.verdict == "unknown"
        honest.append([str(own), info.names, dict(info.options), [[1.0, 2.0, 3.0, 4.0]]])
    (tmp_path / "jobs.json").write_text(json.dumps([*jobs, *honest]))
    words = (KerasFormat.loader, frameworks.GUARD, tmp_path / "jobs.json")
    told = run(LOAD, *map(str, words))
    for (which, *_), (kind, said) in zip(jobs, told, strict=False):
        assert kind in ("NotInspectedError", "UnreadableError"), (which, kind, said)
    assert not canary.exists()
    assert [kind for kind, _ in told[len(jobs) :]] == ["loaded"] * 3, told[len(jobs) :]
    assert told[-1][1] == [[2.0, 3.0, 4.0, 5.0]]


def test_permitted_names_are_those_of_the_frameworks() -> None:
    """Every listed name is one of Keras's or TensorFlow's, and none that builds a model of a file is taken for somebody's own."""
    names = run(NAMES)
    symbols = {name.removeprefix("compat.v1.") for name in names["symbols"]}
    assert {name for name in SYMBOLS if name.removeprefix("compat.v1.") not in symbols} == set()
    assert set(names["nodes"]) >= NODE_OPERATIONS
    assert "RaggedTensor.from_row_splits" in MEMBERS
    homes = ("keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints", "keras.losses", "keras.metrics",
             "keras.optimizers", "keras.optimizers.schedules", "keras.dtype_policies", "keras.random")  # fmt: skip
    for whole in names["classes"]:
        module, _, name = whole.rpartition(".")
        assert module not in homes or has_class(module, name), whole
    for module, name in names["operations"]:
        assert has_class(module, name) or name in ("Function", "Operation"), (module, name)
    tools = {"get", "serialize", "deserialize", "custom_gradient"}
    for whole in names["functions"]:
        module, _, name = whole.rpartition(".")
        computing = module in ("keras.activations", "keras.losses", "keras.metrics", "keras.ops")
        assert not computing or name in tools or has_function(module, name), whole
    assert not tools & (FUNCTIONS | CLASSES | LAYERS)
