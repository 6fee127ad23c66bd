"""A SavedModel for TensorFlow Serving: the Dockerfile as its golden file says, and what is refused."""

import json
import os
import pickle
from pathlib import Path

from sklearn.linear_model import LinearRegression
from typer.testing import CliRunner

from mlpack.artifacts.model import ModelInfo
from mlpack.cli.app import app
from mlpack.errors import UsageError
from mlpack.formats.savedmodel import TENSORFLOW_SERVING, SavedModelFormat
from mlpack.pipeline.inspect import inspect
from mlpack.pipeline.other_server import render_for
from tests.unit.formats.saved_models import ADDS, graph, saved

GOLDEN = Path(__file__).parents[1] / "golden" / "tf-serving" / "Dockerfile"


def model(tmp_path: Path) -> ModelInfo:
    return inspect(saved(tmp_path / "churn", graph(ADDS)), formats=[SavedModelFormat()])


def test_the_dockerfile_is_what_the_golden_file_says(tmp_path: Path) -> None:
    """FROM tensorflow/serving, the model under its number, MODEL_NAME; rendered, never built here."""
    files = {file.name: file for file in render_for(TENSORFLOW_SERVING, model(tmp_path), name="churn", version="7")}
    text = (files["Dockerfile"].content or b"").decode()
    if os.environ.get("MLPACK_UPDATE_GOLDEN"):
        GOLDEN.parent.mkdir(parents=True, exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()
    assert {"model/churn/saved_model.pb", "model/churn/variables/variables.index", ".dockerignore"} <= set(files)


def test_the_command_writes_the_folder(tmp_path: Path) -> None:
    """The folder holds the model's files, byte for byte, and nothing of mlpack; it needs no package index and no engine."""
    folder = saved(tmp_path / "churn", graph(ADDS))
    out = tmp_path / "out"
    ended = CliRunner().invoke(
        app, ["render", str(folder), "--serve-with", "tf-serving", "-o", str(out), "--version", "1.4", "--json"]
    )
    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["files"][:2] == [".dockerignore", "Dockerfile"]
    assert (out / "model/churn/saved_model.pb").read_bytes() == (folder / "saved_model.pb").read_bytes()
    assert "COPY model/churn/ /models/churn/1/" in (out / "Dockerfile").read_text()


def test_what_tensorflow_serving_cannot_take(tmp_path: Path) -> None:
    """Another format, another server's name and code of one's own are refused, each with a way out."""
    info = model(tmp_path)
    other = tmp_path / "line.pkl"
    other.write_bytes(pickle.dumps(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])))
    ended = CliRunner().invoke(app, ["render", str(other), "--serve-with", "tf-serving", "-o", str(tmp_path / "out")])
    assert isinstance(ended.exception, UsageError)
    assert ended.exception.message == "TensorFlow Serving takes a SavedModel; line.pkl is sklearn"
    for words in (["--serve-with", "torchserve"], ["--serve-with", "tf-serving", "--include", __file__]):
        ended = CliRunner().invoke(app, ["render", str(info.path), "-o", str(tmp_path / "out"), *words])
        assert isinstance(ended.exception, UsageError) or ended.exit_code == 2


def test_a_signature_that_is_not_there(tmp_path: Path) -> None:
    """`--signature` names one of the model's, or is told which there are."""
    path = saved(tmp_path / "churn", graph(ADDS))
    words = ["render", str(path), "--serve-with", "tf-serving", "-o", str(tmp_path / "out")]
    ended = CliRunner().invoke(app, [*words, "--signature", "nope"])
    assert isinstance(ended.exception, UsageError) or ended.exit_code == 2
    assert CliRunner().invoke(app, [*words, "--signature", "serving_default"]).exit_code == 0
