"""An archive that holds a model and a handler of its own: the model is served, and the rest is named."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import LabelEncoder
from typer.testing import CliRunner

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.notice import NoticeCode
from mlpack.cli.app import app
from mlpack.errors import AmbiguousFormatError
from mlpack.pipeline.inspect import inspect
from mlpack.plugins import load

MODEL = pickle.dumps(LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1]))
ENCODER = pickle.dumps(LabelEncoder().fit(["a", "b"]))
HANDLER = b"def predict_fn(rows, model):\n    return model.predict(rows)\n"


def archive(path: Path, **members: bytes) -> Path:
    """A zip or tar archive; `__` in a member's name is a slash, and its last `_` the dot."""
    named = {".".join(name.replace("__", "/").rsplit("_", 1)): content for name, content in members.items()}
    if path.suffix == ".gz":
        with tarfile.open(path, "w:gz") as packed:
            for name, content in named.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                packed.addfile(entry, io.BytesIO(content))
    else:
        with zipfile.ZipFile(path, "w") as zipped:
            for name, content in named.items():
                zipped.writestr(name, content)
    return path


def described(path: Path) -> ModelInfo:
    return inspect(path, formats=[load("formats", "sklearn")()])


def left_out(info: ModelInfo) -> list[str]:
    return [notice.text for notice in info.notices if notice.code is NoticeCode.LEFT_OUT]


@pytest.mark.parametrize("name", ["net.mar", "app.zip", "model.tar.gz"])
def test_code_beside_a_model_is_named(tmp_path: Path, name: str) -> None:
    """The model is served, and a warning says that the code takes no part, and what to do."""
    members = {"model_pkl": MODEL, "code__inference_py": HANDLER, "MAR-INF__MANIFEST_json": b"{}", "notes_txt": b"-"}
    info = described(archive(tmp_path / name, **members))
    assert (info.packed, bool(info.signatures)) == ("model.pkl", True)
    (told,) = left_out(info)
    assert "code/inference.py" in told
    assert "notes.txt" not in told
    assert "--predictor" in told


def test_a_label_encoder_beside_the_model_is_not_dropped(tmp_path: Path) -> None:
    """Neither is chosen; unpacked, the folder is one model in several files."""
    with pytest.raises(AmbiguousFormatError) as caught:
        described(archive(tmp_path / "app.zip", model_pkl=MODEL, labels_pkl=ENCODER))
    assert "the folder" in caught.value.hint


def test_a_model_alone_has_no_warning(tmp_path: Path) -> None:
    """Texts and tables beside it are not code."""
    assert left_out(described(archive(tmp_path / "alone.zip", model_pkl=MODEL, readme_md=b"-"))) == []


def test_names_are_escaped(tmp_path: Path) -> None:
    """They come from the file, and are shown on a terminal."""
    (told,) = left_out(described(archive(tmp_path / "app.zip", model_pkl=MODEL, **{"a\x1b[31m\n_py": HANDLER})))
    assert told.isprintable()


def test_init_writes_a_predictor_that_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the code in the archive, and its functions pass everything on."""
    monkeypatch.chdir(tmp_path)
    archive(tmp_path / "model.tar.gz", model_pkl=MODEL, handler_py=HANDLER)
    ended = CliRunner().invoke(app, ["init", "model.tar.gz"])
    assert ended.exit_code == 0, ended.output
    text = (tmp_path / "predict.py").read_text()
    assert "handler.py" in text
    scope: dict[str, Any] = {}
    exec(text, scope)
    rows = {"x": np.zeros((2, 2))}
    assert scope["preprocess"](rows) is rows
    assert scope["postprocess"]([1]) == [1]
    assert 'predictor: "predict.py"' in (tmp_path / "mlpack.yaml").read_text()
