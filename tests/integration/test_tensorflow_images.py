"""TensorFlow and Keras models go the line: from file to a tested image that answers what the framework itself answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.extra import extra
from tests.formats.frameworks import made
from tests.integration.cli import ask, refused, served, told
from tests.integration.conftest import Name

pytestmark = [pytest.mark.docker, pytest.mark.network, pytest.mark.slow]

MAKER = "make_tf_models.py"
OWN_LAYER = """
import keras

@keras.saving.register_keras_serializable("mine")
class Doubled(keras.layers.Layer):
    def call(self, x):
        return x * 2.0
"""


@pytest.mark.parametrize("name", ["two", "named", "one", "examples", *extra("softmax")])
def test_a_saved_model(tmp_path: Path, fresh_name: Name, name: str) -> None:
    """Several outputs, signatures, named inputs with texts from a table, a batch of one, serialized examples."""
    folder = _taken("tensorflow", name, tmp_path)
    options: list[str] = []
    if name == "examples":  # no message is known that its features could be parsed from
        rows = _answers(folder, name)["serving_default"]["inputs"]["examples"]
        (tmp_path / "rows.json").write_text(json.dumps(rows[:3]))
        options = ["--sample", "rows.json"]
    _goes_the_line(folder, name, name, fresh_name, options)


def test_a_saved_model_in_an_archive(tmp_path: Path, fresh_name: Name) -> None:
    """A zip and a .tar.gz of a SavedModel give the same image as the folder: nothing but the name says how it was packed."""
    folder = _taken("tensorflow", "softmax", tmp_path)
    shutil.make_archive(str(tmp_path / "packed"), "gztar", tmp_path, "softmax")
    shutil.make_archive(str(tmp_path / "bare"), "zip", tmp_path / "softmax")
    assert (
        told("inspect", "bare.zip", cwd=tmp_path)["signatures"]
        == told("inspect", "softmax", cwd=tmp_path)["signatures"]
    )
    _goes_the_line(folder, "packed.tar.gz", "softmax", fresh_name, [])


@pytest.mark.parametrize("file", ["functional.keras", "sequential.h5", *extra("sequential.keras", "exported")])
def test_a_keras_3_model(tmp_path: Path, fresh_name: Name, file: str) -> None:
    """A .keras archive, one with two inputs and two outputs, HDF5, and what Keras exports as a SavedModel."""
    folder = _taken("keras", file, tmp_path)
    _goes_the_line(folder, file, file.partition(".")[0], fresh_name, [])


def test_a_layer_of_ones_own(tmp_path: Path, fresh_name: Name) -> None:
    """A registered class that Keras does not have is asked for by name, and comes with --include."""
    folder = _taken("keras", "own.keras", tmp_path)
    (tmp_path / "layers.py").write_text(OWN_LAYER)
    assert "Doubled" in refused(3, "missing_code", "build", "own.keras", cwd=tmp_path)["error"]["message"]
    _goes_the_line(folder, "own.keras", "own", fresh_name, ["--include", "layers.py"])


def test_a_lambda_layer(tmp_path: Path, fresh_name: Name) -> None:
    """Code that the file holds itself is served with --trust, on the Python that compiled it."""
    folder = _taken("legacy", "lambda2.h5", tmp_path)
    _goes_the_line(folder, "lambda2.h5", "lambda2", fresh_name, ["--trust", "--python", "3.11"])


@pytest.mark.parametrize("file", ["lstm.h5", *extra("lstm_saved")])
def test_a_keras_2_model(tmp_path: Path, fresh_name: Name, file: str) -> None:
    """What Keras 2 wrote is served by tf-keras on tensorflow-cpu; `tensorflow`, which tf-keras asks for, is not installed."""
    folder = _taken("legacy", file, tmp_path)
    told("render", file, "-o", "out", cwd=tmp_path)
    names = {line.partition("==")[0] for line in (tmp_path / "out" / "requirements.lock").read_text().splitlines()}
    assert {"tf-keras", "tensorflow-cpu"} <= names
    assert "tensorflow" not in names
    assert not [name for name in names if name.startswith("nvidia")]
    _goes_the_line(folder, file, file.partition(".")[0], fresh_name, [])


def test_what_is_refused(tmp_path: Path) -> None:
    """No signature, weights alone, Python and files in the graph, a Lambda without --trust: refused before anything is resolved."""
    folder = _taken("tensorflow", "mute", tmp_path)
    assert "signatures" in refused(3, "model", "build", "mute", cwd=folder)["error"]["hint"]
    for name, said in (("reading", "ReadFile"), ("python", "EagerPyFunc")):
        _taken("tensorflow", name, tmp_path)
        assert said in refused(3, "unsafe", "build", name, "--trust", cwd=folder)["error"]["message"]
    for kind, file in (("keras", "lambda.keras"), ("keras", "lambda.h5"), ("legacy", "lambda2.h5")):
        _taken(kind, file, tmp_path)
        assert "Lambda" in refused(3, "unsafe", "build", file, cwd=folder)["error"]["message"]
    _taken("keras", "sequential.weights.h5", tmp_path)
    assert "predictor" in refused(3, "model", "build", "sequential.weights.h5", cwd=folder)["error"]["hint"]


def _taken(kind: str, name: str, folder: Path) -> Path:
    """A copy of what was made, and of its answers, in the working folder."""
    source = made(MAKER, kind)
    if (source / name).is_dir():
        shutil.copytree(source / name, folder / name)
    else:
        shutil.copy(source / name, folder)
    told_by = source / f"{name.partition('.')[0]}.answers.json"
    if told_by.is_file():
        shutil.copy(told_by, folder)
    return folder


def _answers(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.answers.json").read_text())
    return found


def _goes_the_line(folder: Path, file: str, name: str, fresh_name: Name, options: list[str]) -> None:
    """Inspected, built, tested; then asked for every signature's rows, all at once, and compared by value."""
    found = told("inspect", file, cwd=folder)
    assert found["safety"]["verdict"] == ("unknown" if {"--include", "--trust"} & set(options) else "safe"), found[
        "safety"
    ]
    told("build", file, "--name", fresh_name(name.lower().replace("_", "-")), *options, cwd=folder)
    report = told("test", cwd=folder)
    assert report["ok"] is True, report
    with served(cwd=folder) as url:
        for signature, wanted in _answers(folder, name).items():
            count = len(next(iter(wanted["inputs"].values())))
            assert count >= 50
            rows = [{key: values[row] for key, values in wanted["inputs"].items()} for row in range(count)]
            if len(wanted["inputs"]) == 1:
                rows = [next(iter(row.values())) for row in rows]
            answers = ask(url, {"instances": rows}, path=f"/predict?method={signature}")["predictions"]
            outputs = wanted["outputs"]
            for key, values in outputs.items():
                _assert_close([row[key] for row in answers] if len(outputs) > 1 else answers, values)


def _assert_close(found: list[Any], wanted: list[Any]) -> None:
    """Numbers within what float32 keeps (null where the framework gives none); texts and whole numbers exactly."""
    left, right = np.array(found, dtype=object), np.array(wanted, dtype=object)
    assert left.shape == right.shape
    for one, other in zip(left.ravel(), right.ravel(), strict=True):
        assert (one is None) == (other is None)
        if isinstance(other, float):
            assert one == pytest.approx(other, rel=1e-4, abs=1e-6)
        else:
            assert one == other
