"""What a Keras file names: all that is not on the list of permitted names is unknown or dangerous, and the card lists all of it."""

from __future__ import annotations

import base64
import io
import json
import marshal
import random
import zipfile
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import UnreadableModelError
from mlpack.formats.keras import _model
from mlpack.formats.keras.files import KerasFile
from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.marshalled import read_code
from mlpack.usercode.coverage import find_coverage
from tests.unit.formats.test_keras import ARTIFACT, DENSE, FEATURES, archive, hdf5, layer, looked_at, sequential

# `lambda x: tf.reduce_sum(x) + 1`, compiled by these releases of Python.
COMPILED = {
    "3.7": (
        "4wEAAAAAAAAAAQAAAAMAAABDAAAAcw4AAAB0AKABfAChAWQBFwBTACkCTukBAAAAKQJaAnRmWgpyZWR1Y2Vfc3VtKQHaAXipAHID"
        "AAAA+gRjLnB52gg8bGFtYmRhPgEAAADzAAAAAA=="
    ),
    "3.8": (
        "4wEAAAAAAAAAAAAAAAEAAAADAAAAQwAAAHMOAAAAdACgAXwAoQFkARcAUwApAk7pAQAAACkCWgJ0ZloKcmVkdWNlX3N1bSkB2gF4"
        "qQByAwAAAPoEYy5wedoIPGxhbWJkYT4BAAAA8wAAAAA="
    ),
    "3.10": (
        "4wEAAAAAAAAAAAAAAAEAAAADAAAAQwAAAHMOAAAAdACgAXwAoQFkARcAUwApAk7pAQAAACkCWgJ0ZloKcmVkdWNlX3N1bSkB2gF4"
        "qQByAwAAAPoEYy5wedoIPGxhbWJkYT4BAAAAcwIAAAAOAA=="
    ),
    "3.12": (
        "4wEAAAAAAAAAAAAAAAMAAAADAAAA8zIAAACXAHQAAAAAAAAAAABqAwAAAAAAAAAAAAAAAAAAAAAAAHwAqwEAAAAAAABkAXoAAABT"
        "ACkCTukBAAAAKQLaAnRm2gpyZWR1Y2Vfc3VtKQHaAXhzAQAAACD6BGMucHn6CDxsYW1iZGE+cgcAAAABAAAAcxQAAACAAIwyjz2J"
        "PZgR0wsbmGHRCx+AAPMAAAAA"
    ),
    "3.13": (
        "4wEAAAAAAAAAAAAAAAMAAAADAAAA8zIAAACVAFsAAAAAAAAAAABSAwAAAAAAAAAAAAAAAAAAAAAAAFUANQEAAAAAAABTAS0AAAAk"
        "ACkCTukBAAAAKQLaAnRm2gpyZWR1Y2Vfc3VtKQHaAXhzAQAAACDaBGMucHnaCDxsYW1iZGE+cgcAAAABAAAAcxIAAACAAIwyjz2J"
        "PZgR0wsbmGHSCx/zAAAAAA=="
    ),
}
PYTHONS = {"3.7": [], "3.8": ["3.8", "3.9"], "3.10": ["3.10"], "3.12": ["3.12"], "3.13": ["3.13"]}


def by_value(code: CodeType, *, keras: int = 3, **more: Any) -> dict[str, Any]:
    """A Lambda layer that holds a function, as Keras 3 or Keras 2 writes it."""
    text = base64.encodebytes(marshal.dumps(code)).decode()
    return written(text, keras=keras, **more)


def written(text: Any, *, keras: int = 3, **more: Any) -> dict[str, Any]:
    if keras == 3:
        held = {"class_name": "__lambda__", "config": {"code": text, "defaults": None, "closure": None}}
        return layer("Lambda", "l", function=held, **more)
    return layer("Lambda", "l", module=None, function=[text, None, None], function_type="lambda", **more)


def compiled(source: str) -> CodeType:
    """The code of the one function in `source`."""
    (found,) = [one for one in compile(source, "c.py", "exec").co_consts if isinstance(one, CodeType)]
    return found


def judged(found: dict[str, Any]) -> ModelInfo:
    """The answer on a model with this layer."""
    config = sequential(FEATURES, found, DENSE)
    return _model(ARTIFACT, KerasFile(container="zip", config=config, version="3.1.0"), config)


def operation(node: Any) -> dict[str, Any]:
    return layer("TensorFlowOpLayer", "o", module=None, node_def=node, constants={})


def function(name: str, module: Any, **more: Any) -> dict[str, Any]:
    return {"class_name": "function", "config": name, "module": module, "registered_name": name, **more}


NODE = {"name": "w", "op": "WriteFile", "input": ["a", "b"]}
CALL = {"module": None}
OTHERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a file is written": (layer("TFOpLambda", "t", function="io.write_file", **CALL), "dangerous", "io.write_file"),
    "by its older name": (layer("TFOpLambda", "t", function="compat.v1.write_file", **CALL), "dangerous", "v1.write_file"),
    "raw": (layer("TFOpLambda", "t", function="raw_ops.WriteFile", **CALL), "dangerous", "raw_ops.WriteFile"),
    "a library": (layer("SlicingOpLambda", "t", function="load_op_library", **CALL), "dangerous", "load_op_library"),
    "a sampler that reads": (
        layer("TFOpLambda", "t", function="random.fixed_unigram_candidate_sampler", **CALL), "dangerous", "candidate_sampler"
    ),
    "a download through tf": (layer("TFOpLambda", "t", function="keras.utils.get_file", **CALL), "dangerous", "get_file"),
    "a function that is not listed": (layer("TFOpLambda", "t", function="map_fn", **CALL), "unknown", "tensorflow.map_fn"),
    "no function": (layer("TFOpLambda", "t", function=["io.write_file"], **CALL), "unknown", "io.write_file"),
    "a node as JSON": (operation(NODE), "dangerous", "raw_ops.WriteFile"),
    "a node as bytes": (operation("\n\x01w\x12\tWriteFile\x1a\x01a"), "dangerous", "raw_ops.WriteFile"),
    "a node as JSON's bytes": (
        operation({"class_name": "__bytes__", "value": "\n\x01w\x12\x09WriteFile"}), "dangerous", "raw_ops.WriteFile"
    ),
    "a node that maps a file": (operation({**NODE, "op": "ImmutableConst"}), "dangerous", "ImmutableConst"),
    "a node that is not listed": (operation({**NODE, "op": "Whatever"}), "unknown", "raw_ops.Whatever"),
    "no node": (operation([NODE]), "unknown", "raw_ops."),
    "a method of any class": (
        layer("ClassMethod", "c", module=None, cls_symbol="io.gfile.GFile", method_name="read"), "dangerous", "io.gfile.GFile.read"
    ),
    "a special attribute": (layer("InstanceProperty", "i", module=None, attr_name="__class__"), "dangerous", "__class__"),
    "any attribute": (layer("InstanceMethod", "i", module=None, attr_name="numpy"), "unknown", "Tensor.numpy"),
    "a SavedModel anywhere": (layer("TFSMLayer", "t", filepath="/tmp/x", call_endpoint="serve"), "dangerous", "TFSMLayer"),
    "a pickle": (layer("TorchModuleWrapper", "t", module="keras.src.utils.torch_utils"), "dangerous", "TorchModuleWrapper"),
    "a program of jax": (layer("JaxLayer", "j", call_fn=None), "unknown", "JaxLayer"),
    "words of a file": (layer("TextVectorization", "t", vocabulary="/etc/passwd"), "dangerous", "TextVectorization"),
    "the same in tf-keras": (
        layer("IntegerLookup", "t", module=None, vocabulary="/etc/passwd"), "dangerous", "IntegerLookup"
    ),
    "another's rule for texts": (
        layer("TextVectorization", "t", standardize=function("system", "os"), split=None), "dangerous", "os.system"
    ),
    "a class of any module": (layer("Popen", "x", module="subprocess"), "dangerous", "subprocess.Popen"),
    "a class that Keras lacks": (layer("Surprise", "x", module="keras.layers"), "unknown", "keras.layers.Surprise"),
    "a function of Keras's that is no layer": (
        layer("Dense", "d", activation=function("clone_model", "keras.models")), "unknown", "keras.models.clone_model"
    ),
    "a tool of Keras's": (layer("Dense", "d", activation=function("get_file", "keras.utils")), "dangerous", "get_file"),
    "a name that is registered instead": (
        layer("Dense", "d", activation={**function("relu", "os"), "registered_name": "system"}), "dangerous", "os.system"
    ),
    "a registered class in a layer's place": (
        {**layer("Dense", "d"), "registered_name": "mine>Dense"}, "unknown", "__main__.Dense"
    ),
    "an activation by an unknown name": (layer("Dense", "d", activation="surprise"), "unknown", "__main__.surprise"),
    "a type of tensor": (
        layer("InputLayer", "i", type_spec={
            "class_name": "__typespec__", "spec_name": "Popen", "module": "subprocess", "config": [], "registered_name": None,
        }), "dangerous", "subprocess.Popen"
    ),
    "a data type policy": (
        layer("Dense", "d", dtype={"module": "posix", "class_name": "system", "config": {"name": "x"}}), "dangerous", "posix.system"
    ),
    "a cell in a layer in a wrapper": (
        layer("TimeDistributed", "t", layer=layer("RNN", "r", cell=layer("system", "s", module="os"))), "dangerous", "os.system"
    ),
    "how it was compiled, in a model inside": (
        {**sequential(DENSE), "compile_config": {"loss": function("system", "os")}}, "dangerous", "os.system"
    ),
    "how it was built": ({**DENSE, "build_config": {"x": layer("system", "s", module="os")}}, "dangerous", "os.system"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_a_name_that_is_not_permitted(name: str) -> None:
    """Whatever a configuration can name: a file, a library, a method, a module, a type: never safe, and told by its name."""
    hidden, verdict, said = OTHERS[name]
    found = judged(hidden)
    assert found.safety.verdict == verdict, found.safety
    assert any(said in finding.callable for finding in found.safety.findings), found.safety


HONEST = {
    "functions of Keras": layer("Dense", "d", activation=function("relu", "builtins"), kernel_initializer="he_normal"),
    "a function as an argument": layer("Lambda", "l", function=function("mean", "keras.ops")),
    "an operation of Keras 3": layer("Add", "a", module="keras.src.ops.numpy"),
    "functions of TensorFlow": layer("TFOpLambda", "t", function="math.reduce_mean", **CALL),
    "an operator": layer("SlicingOpLambda", "t", function="__operators__.getitem", **CALL),
    "its older name": layer("TFOpLambda", "t", function="compat.v1.transpose", **CALL),
    "an operation in a node": operation({**NODE, "op": "AddV2"}),
    "a ragged tensor": layer("ClassMethod", "c", module=None, cls_symbol="RaggedTensor", method_name="from_row_splits"),
    "a policy": layer(
        "Dense", "d", dtype={"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
    ),
    "text rules": layer("TextVectorization", "t", standardize="lower", split="whitespace", vocabulary=["a", "b"]),
    "inside Keras": layer("Functional", "f", module="tf_keras.src.engine.functional"),
}


@pytest.mark.parametrize("name", HONEST)
def test_what_keras_writes_itself_is_safe(name: str) -> None:
    """Names of Keras and TensorFlow that only compute."""
    found = judged(HONEST[name])
    assert found.safety.verdict == "safe", found.safety


def test_every_name_is_listed_for_the_image() -> None:
    """Types, operators, files and code, by the names that the loader lists too."""
    code = by_value((lambda x: x + 1).__code__)
    layers = [layer("TFOpLambda", "t", function="math.add"), operation({**NODE, "op": "AddV2"}), code]
    texts = layer("StringLookup", "s", vocabulary="/etc/passwd")
    names = judged(layer("TimeDistributed", "w", layer=sequential(*layers, texts))).names
    assert {"keras.layers:Dense", "keras.layers:Lambda", "keras:Sequential", "keras.layers:TimeDistributed"} <= set(
        names["types"]
    )
    assert set(names["operators"]) == {"tensorflow.math.add", "AddV2"}
    assert names["files"] == ("/etc/passwd",)
    assert len(names["code"]) == 1


def test_code_of_a_lambda_layer_is_shown_and_unknown(tmp_path: Path) -> None:
    """A function that only computes: its names and constants, the Python that compiled it; --trust serves it, nothing else."""
    code = compiled("def scaled(x, by=2):\n    return tf.math.reduce_sum([one * by for one in x]) + len('kg\\n')")
    for keras, name, write in ((3, "m.keras", archive), (2, "m.h5", hdf5)):
        path = write(tmp_path / name, sequential(FEATURES, by_value(code, keras=keras), DENSE))
        info = looked_at(path)
        (finding,) = info.safety.findings
        assert (info.safety.verdict, finding.verdict) == ("unknown", "unknown")
        assert "scaled(x, by" in finding.why
        assert "names tf, math, reduce_sum, len" in finding.why
        assert r"'kg\\n'" in finding.why
        assert info.details["by_value"]["pythons"]
        outcome = find_coverage(info, requirements=("keras", "tensorflow"), cwd=tmp_path)
        assert outcome.open == (finding.callable,)  # no requirement vouches for it


@pytest.mark.parametrize("python", COMPILED)
def test_code_of_other_pythons(python: str) -> None:
    """The layout of a code object changed with 3.8 and 3.11; what no image's Python compiled names none."""
    info = judged(written(COMPILED[python]))
    assert info.safety.verdict == "unknown", info.safety
    assert "names tf, reduce_sum, constants 1" in info.safety.findings[0].why
    assert info.details["by_value"]["pythons"] == PYTHONS[python]


DANGEROUS_CODE = {
    "eval": "def f(x): return eval('x')",
    "an import": "def f(x):\n    import os.path as p\n    return p",
    "an import from": "def f(x):\n    from subprocess import run\n    return run",
    "open": "def f(x): return open('/etc/passwd')",
    "attributes by name": "def f(x): return getattr(x, 'y')",
    "files of TensorFlow": "def f(x): return tf.io.write_file('/tmp/x', 'y')",
    "a library": "def f(x): return tf.load_op_library('/tmp/x')",
    "Python in a graph": "def f(x): return tf.py_function(x, [], [])",
    "a special attribute": "def f(x): return x.__class__.__base__.__subclasses__()",
    "a special attribute in a format": "def f(x): return '{0.__class__}'.format(x)",
    "a frame": "def f(x): return x.gi_frame.f_back",
    "code inside": "def f(x): return [exec(one) for one in x]",
    "deep inside": "def f(x): return lambda y: lambda z: (lambda: sys.exit())",
    "a global of Keras's own": "def f(x): return python_utils.func_load(x)",
}


@pytest.mark.parametrize("name", DANGEROUS_CODE)
@pytest.mark.parametrize("keras", [2, 3])
def test_code_that_does_more_than_compute_is_dangerous(name: str, keras: int) -> None:
    """Modules, files, processes, evaluation and special attributes, also in functions inside."""
    info = judged(by_value(compiled(DANGEROUS_CODE[name]), keras=keras))
    assert info.safety.verdict == "dangerous", info.safety
    assert "compiled Python code" in info.safety.findings[0].why


def test_code_in_every_place_where_keras_takes_it() -> None:
    """The mask, the shape, a text rule, a value, a compiled loss: each is found, and listed."""
    text = base64.encodebytes(marshal.dumps(compiled("def f(x): return x"))).decode()
    held = {"class_name": "__lambda__", "config": {"value": [text, None, None]}}
    places = [
        layer("Lambda", "l", module=None, mask=[text, None, None], mask_type="lambda"),
        layer("Lambda", "l", module=None, output_shape=text, output_shape_type="lambda"),
        layer("TextVectorization", "t", standardize=held),
        layer("Whatever", "w", inner=[{"deep": held}]),
        {**sequential(DENSE), "compile_config": {"loss": held}},
    ]
    for place in places:
        info = judged(place)
        assert info.safety.verdict == "unknown"
        assert len(info.names["code"]) == 1
        assert any("Lambda[" in finding.callable for finding in info.safety.findings)


def test_code_that_sees_the_names_of_a_module() -> None:
    """tf-keras gives a function by value all names of the module that the layer tells: `system` of `os` is one of them."""
    found = by_value(compiled("def f(x): return x"), keras=2)
    assert judged(found).safety.verdict == "unknown"
    found["config"]["module"] = "os"
    assert judged(found).safety.findings[0].callable == "os"
    assert "os:" in judged(found).names["types"]


def test_code_that_cannot_be_read_is_dangerous() -> None:
    """Text that is no code, that has two readings, that goes on, that is too long, or is built another way."""
    data = marshal.dumps(compiled("def f(x): return x"))
    text = base64.b64encode(data).decode()
    for broken in (
        "4wEAAAA=",
        "",
        text[:-8],
        "!" + text,
        base64.b64encode(data + b"N").decode(),
        "\u20ac",
        text + "AAAA",
    ):
        assert judged(written(broken)).safety.verdict == "dangerous", broken
    for strange in (None, 5, {}, [text], [[text]], {"class_name": "__tuple__", "items": [text, None, None]}):
        assert judged(written(strange)).safety.verdict == "dangerous", strange
        other = layer("Lambda", "l", module=None, function=strange, function_type="lambda")
        assert judged(other).safety.verdict == "dangerous", strange
    with pytest.raises(CutOffError, match="too long"):
        read_code(bytes(1 << 20))
    many = [layer("Lambda", f"l{one}", function={"class_name": "__lambda__", "config": {"code": base64.b64encode(
        marshal.dumps(compiled(f"def f(x): return {'x' * 60_000!r}, {one}"))).decode()}}) for one in range(30)]  # fmt: skip
    assert judged(sequential(*many)).safety.verdict == "dangerous"


def test_code_that_refers_to_itself_ends() -> None:
    """Tuples of tuples that are one object are walked once, not 2 to the power of 40 times."""
    shared = b"\xa9\x01N"
    for place in range(40):
        shared = b"\xa9\x02" + shared + b"r" + (39 - place + 1).to_bytes(4, "little")
    text, table = b"s\0\0\0\0", b")\0"
    whole = b"c" + bytes(20) + text + shared + table + table + text + b"z\1f" * 3 + bytes(4) + text + text
    assert sum(1 for _ in read_code(whole).walk()) < 100


def test_a_key_that_stands_twice(tmp_path: Path) -> None:
    """Readers of JSON take one or the other: the file is unreadable, as an archive, as HDF5 and inside."""
    good, evil = json.dumps(sequential(FEATURES, DENSE)), json.dumps(by_value(compiled("def f(x): return eval(x)")))
    for twice in (f'{{"class_name": "Lambda", {good[1:]}', good.replace('"units": 3', f'"units": 3, "units": {evil}')):
        with pytest.raises(UnreadableModelError, match="twice"):
            looked_at(archive(tmp_path / "m.keras", twice))


def test_weights_as_npz_are_not_safe(tmp_path: Path) -> None:
    """Early releases of Keras 3 unpickle what such a file holds."""
    held = io.BytesIO()
    np.savez(held, kernel=np.zeros(3))
    path = archive(tmp_path / "m.keras", sequential(FEATURES, DENSE))
    with zipfile.ZipFile(path, "a") as members:
        members.writestr("model.weights.npz", held.getvalue())
    info = looked_at(path)
    assert (info.safety.verdict, info.names["files"]) == ("unknown", ("model.weights.npz",))


def test_mutated_code_and_names_raise_only_own_errors() -> None:
    """Spoiled bytes of code, and anything in the place of a name, give an answer or an own error."""
    rng = random.Random(23)
    data = marshal.dumps(
        compiled("def f(x, y=2):\n    def g(z): return z * y\n    return [g(one) for one in (x, 1.5, 'a')]")
    )
    for _ in range(1500):
        spoiled = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            spoiled[rng.randrange(len(data))] = rng.randrange(256)
        judged(written(base64.b64encode(bytes(spoiled)).decode()))
    junk: tuple[Any, ...] = (
        None,
        -1,
        1 << 70,
        "",
        "x",
        "\ud800",
        [],
        {},
        [[]],
        {"class_name": "__bytes__", "value": 3},
        ["a"] * 3,
    )
    keys = (
        "class_name",
        "module",
        "registered_name",
        "config",
        "function",
        "function_type",
        "node_def",
        "attr_name",
        "spec_name",
    )
    for hidden in (*(one for one, _, _ in OTHERS.values()), *HONEST.values()):
        for _ in range(12):
            changed = json.loads(json.dumps(hidden))
            _put(changed, rng, keys, junk)
            try:
                json.dumps(judged(changed).to_json())
            except (ValueError, CutOffError):
                continue


def _put(value: dict[str, Any], rng: random.Random, keys: tuple[str, ...], junk: tuple[Any, ...]) -> None:
    inner = [one for one in value.values() if isinstance(one, dict)]
    if inner and rng.random() < 0.6:
        _put(rng.choice(inner), rng, keys, junk)
    else:
        value[rng.choice(keys)] = rng.choice(junk)
