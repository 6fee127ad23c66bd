"""Own code through the real command: from each wrong first step to a container that answers as the training did."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlpack.engines.docker import DockerEngine
from tests.integration.cli import ask, assert_same, mlpack, predictions, refused, served, told
from tests.integration.conftest import ROOT, Name

pytestmark = [pytest.mark.docker, pytest.mark.slow]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def trained(folder: Path, script: str, name: str = "train.py") -> Path:
    """The folder, once its script has run there."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(script)
    subprocess.run([sys.executable, name], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A folder with the model of examples/notebook, its script and rows, and no mlpack.yaml."""
    shutil.copy(ROOT / "examples" / "notebook" / "make_model.py", tmp_path)
    subprocess.run([sys.executable, "make_model.py"], cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def expected(folder: Path) -> tuple[list[Any], list[Any]]:
    """The rows and the answers that the training wrote down."""
    rows = json.loads((folder / "request.json").read_text())["instances"]
    return rows, json.loads((folder / "expected.json").read_text())["predictions"]


def advised(hint: str) -> tuple[str, str]:
    """The option that a hint says to pass, and its value."""
    found = re.search(r"(--include|--sample) ('[^']+'|\S+)", hint)
    assert found, hint
    return found[1], shlex.split(found[2].rstrip(",."))[0]


# from a notebook -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "steps"),
    [
        ((), ["missing_code", "model"]),
        (("--trust",), ["missing_code", "model"]),
        (("--include", "wrong.py"), ["missing_code", "model"]),
        (("--include", "make_modle.py"), ["config", "missing_code", "model"]),
        (("--sample", "rows.csv"), ["missing_code"]),
    ],
)
def test_following_what_the_tool_says_ends_with_a_container(
    notebook: Path, fresh_name: Name, first: tuple[str, ...], steps: list[str]
) -> None:
    """From every wrong first step each message names the next one, until the image is built and answers as the training did."""
    (notebook / "wrong.py").write_text("class Cleener:\n    pass\n")
    words = [*first, "--name", fresh_name("notebook")]
    seen = []
    for _ in range(5):
        done = mlpack("build", "model.joblib", *words, "--json", cwd=notebook)
        if done.code == 0:
            break
        error = done.document()["error"]
        seen.append(error["code"])
        assert not (notebook / ".mlpack").exists(), "nothing is built while something is missing"
        if error["code"] == "config":
            assert "make_model.py" in error["hint"]
            words = words[2:]
        else:
            words += advised(error["hint"])
    assert (done.code, seen) == (0, steps), done
    tested = told("test", "--request", "request.json", "--expected", "expected.json", cwd=notebook)
    assert tested["ok"] is True
    rows, answers = expected(notebook)
    with served(cwd=notebook) as url:
        assert_same(predictions(url, rows), answers)


def test_the_training_script_never_runs(notebook: Path) -> None:
    """Neither on this machine nor in the image: only the class and what it uses is there."""
    for file in ("request.json", "expected.json", "model.joblib"):
        (notebook / file).rename(notebook / f"kept-{file}")
    shutil.copy(notebook / "kept-model.joblib", notebook / "model.joblib")
    told("render", "-o", "out", "model.joblib", "--include", "make_model.py", "--sample", "rows.csv", cwd=notebook)
    text = (notebook / "out" / "code" / "make_model.py").read_text()
    assert all(f"\n{part}" in text for part in ("class Cleaner", "def plan_of", "PLANS ="))
    assert "LogisticRegression" not in text
    assert not (notebook / "request.json").exists()
    assert "COPY code/ /app/code/" in (notebook / "out" / "Dockerfile").read_text()


def test_a_notebook_file_is_enough(tmp_path: Path, fresh_name: Name) -> None:
    """The .ipynb itself is included: magics, plots and training cells stay behind, and the values are those of its kernel."""
    train = """
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
X = np.arange(40.0).reshape(20, 2)
model = make_pipeline(FunctionTransformer(shrink), Ridge()).fit(X, X.sum(axis=1))
"""
    save = """
import json, pickle
pickle.dump(model, open('ridge.pkl', 'wb'))
json.dump({'instances': X[:5].tolist()}, open('request.json', 'w'))
json.dump({'predictions': model.predict(X[:5]).tolist()}, open('expected.json', 'w'))
"""
    cells = [
        "%matplotlib inline\n!pip list\nimport numpy as np\nfrom sklearn.preprocessing import FunctionTransformer",
        "SCALE = 10\ndef shrink(table):\n    return np.log1p(np.asarray(table, dtype=float)) / SCALE",
        train,
        save,
    ]
    trained(tmp_path, "\n".join(line for cell in cells for line in cell.splitlines() if line[:1] not in ("%", "!")))
    (tmp_path / "train.py").rename(tmp_path / "done.txt")
    document = {"cells": [{"cell_type": "code", "source": cell, "outputs": []} for cell in cells], "nbformat": 4}
    (tmp_path / "My Ridge.ipynb").write_text(json.dumps(document))
    found = refused(3, "missing_code", "build", "ridge.pkl", cwd=tmp_path)
    assert "`shrink` from `__main__`" in found["error"]["message"]
    assert advised(found["error"]["hint"]) == ("--include", "My Ridge.ipynb")
    words = ("--include", "My Ridge.ipynb", "--sample", "request.json", "--name", fresh_name("ridge"))
    told("build", "ridge.pkl", *words, cwd=tmp_path)
    assert told("test", "--request", "request.json", "--expected", "expected.json", cwd=tmp_path)["ok"] is True


# a package -------------------------------------------------------------------------------------------

PACKAGE = """
import json, pickle, sys
sys.path.insert(0, "src")
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from features import Ratio

houses = pd.DataFrame({"price": [100.0, 240.0, 90.0, 300.0], "area": [50.0, 80.0, 45.0, 75.0], "town": ["Aš", "Oslo", "Žatec", "aš"]})
model = make_pipeline(Ratio(), LinearRegression()).fit(houses, [1.0, 2.0, 3.0, 4.0])
pickle.dump(model, open("ratio.pkl", "wb"))
houses.to_csv("rows.csv", index=False)
json.dump({"instances": houses.to_dict("records")}, open("request.json", "w"))
json.dump({"predictions": model.predict(houses).tolist()}, open("expected.json", "w"))
"""
RATIO = """
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from text_unidecode import unidecode

from .words import known


class Ratio(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def transform(self, X):
        towns = [unidecode(town).lower() in known() for town in X["town"]]
        return np.column_stack([X["price"] / X["area"], towns])
"""
WORDS = """
from pathlib import Path


def known():
    return set((Path(__file__).parent / "towns.txt").read_text().split())
"""


def test_a_package_with_its_data_requirements_and_libraries(
    tmp_path: Path, fresh_name: Name, engine: DockerEngine
) -> None:
    """`include: [src/]` ships a package with its data file; what it imports is asked for by name; apt packages are there."""
    package = tmp_path / "src" / "features"
    package.mkdir(parents=True)
    for name, text in {
        "__init__.py": "from .ratio import Ratio\n",
        "ratio.py": RATIO,
        "words.py": WORDS,
        "towns.txt": "as oslo",
    }.items():
        (package / name).write_text(text)
    (package / "text_unidecode.py").write_text(
        "def unidecode(text):\n    import unicodedata\n    return unicodedata.normalize('NFD', text).encode('ascii', 'ignore').decode()\n"
    )
    shutil.move(package / "text_unidecode.py", tmp_path / "text_unidecode.py")
    trained(tmp_path, PACKAGE)
    shutil.move(tmp_path / "text_unidecode.py", tmp_path / "done.txt")
    found = refused(3, "missing_code", "build", "ratio.pkl", cwd=tmp_path)
    assert "`Ratio` from `features.ratio`" in found["error"]["message"]
    assert re.search(r"--include src/features\b", found["error"]["hint"])
    (tmp_path / "mlpack.yaml").write_text(
        f"name: {fresh_name('ratio')}\nmodel: ratio.pkl\ninclude: [src/]\nsample: rows.csv\n"
    )
    found = refused(3, "missing_package", "build", cwd=tmp_path)
    assert "src/features/ratio.py:6 imports `text_unidecode`" in found["error"]["message"]
    with (tmp_path / "mlpack.yaml").open("a") as file:
        file.write("requirements: [text-unidecode]\napt: [libgomp1]\n")
    built = told("build", cwd=tmp_path)
    assert told("test", "--request", "request.json", "--expected", "expected.json", cwd=tmp_path)["ok"] is True
    assert _runs(engine, built["id"], "import ctypes; ctypes.CDLL('libgomp.so.1')"), "apt: [libgomp1] is in the image"
    (package / "towns.txt").write_text("as oslo zatec")
    again = told("build", cwd=tmp_path)
    assert (again["cached"], again["id"] != built["id"]) == (False, True), "included files are part of the digest"
    assert told("build", cwd=tmp_path)["cached"] is True


def _runs(engine: DockerEngine, image: str, code: str) -> bool:
    """Whether Python code ends well in a container of the image."""
    client = engine._client
    made = client.create_container(image, entrypoint=["python", "-c", code])
    try:
        client.start(made["Id"])
        return int(client.wait(made["Id"], timeout=60)["StatusCode"]) == 0
    finally:
        client.remove_container(made["Id"], force=True)


# a predictor -----------------------------------------------------------------------------------------

SPAM = """
import json, pickle
from sklearn.linear_model import LogisticRegression
import numpy as np
X = np.random.default_rng(0).normal(size=(80, 2))
model = LogisticRegression().fit(X, (X[:, 0] > 0).astype(int))
pickle.dump(model, open("spam.pkl", "wb"))
json.dump(model.predict_proba(X[:4])[:, 1].tolist(), open("proba.json", "w"))
json.dump([{"length": float(a), "links": {"count": float(b)}} for a, b in X[:4]], open("rows.json", "w"))
"""
PREDICT = '''
"""Nested rows in, words out; the model's own loader and its probabilities in between."""
import asyncio

import numpy as np


def preprocess(instances):
    return np.array([[row["length"], row["links"]["count"]] for row in instances])


async def predict(model, inputs):
    await asyncio.sleep(0.001)
    return model.predict_proba(inputs)[:, 1]


async def postprocess(predictions):
    return [{"label": "spam" if p > 0.5 else "ham", "score": float(p)} for p in predictions]
'''


def test_a_predictor_around_a_known_model(tmp_path: Path, fresh_name: Name) -> None:
    """Own preprocess, async predict and postprocess around a scikit-learn model; a bad row is the client's fault."""
    trained(tmp_path, SPAM)
    (tmp_path / "predict.py").write_text(PREDICT)
    found = refused(2, "config", "build", "spam.pkl", "--predictor", "predict.py", cwd=tmp_path)
    assert "--sample" in found["error"]["hint"]
    words = ("--predictor", "predict.py", "--sample", "rows.json", "--name", fresh_name("spam"))
    told("build", "spam.pkl", *words, cwd=tmp_path)
    tested = told("test", cwd=tmp_path)
    assert tested["ok"] is True
    rows = json.loads((tmp_path / "rows.json").read_text())
    with served(cwd=tmp_path) as url:
        answers = predictions(url, rows)
        assert_same([one["score"] for one in answers], json.loads((tmp_path / "proba.json").read_text()))
        assert {one["label"] for one in answers} <= {"spam", "ham"}
        error = ask(url, {"instances": [{"length": 1.0}]}, status=400)["error"]
        assert "'links' is missing" in error["message"]
        assert error["detail"]["example"] == {"instances": rows[:1]}


def test_a_predictor_for_a_file_of_its_own(tmp_path: Path, fresh_name: Name) -> None:
    """A pickle of weights that is no model to anyone else: load, predict and declared INPUTS make a checked service of it."""
    trained(
        tmp_path,
        "import pickle\nimport numpy as np\npickle.dump({'w': np.array([2.0, -1.0]), 'b': 0.5}, open('weights.pkl', 'wb'))",
    )
    refused(3, "unknown_format", "build", "weights.pkl", cwd=tmp_path)
    (tmp_path / "predict.py").write_text(
        "import pickle\nimport numpy as np\n"
        "INPUTS = {'area': 'FP64', 'age': 'INT64'}\nOUTPUTS = {'price': 'FP64'}\n"
        "async def load(path):\n    with open(path, 'rb') as file:\n        return pickle.load(file)\n"
        "def predict(model, inputs):\n    return np.column_stack([inputs['area'], inputs['age']]) @ model['w'] + model['b']\n"
    )
    told("build", "weights.pkl", "--predictor", "predict.py", "--name", fresh_name("weights"), cwd=tmp_path)
    tested = told("test", cwd=tmp_path)
    assert tested["ok"] is True
    assert {"wrong_shape", "wrong_dtype"} <= {check["name"] for check in tested["checks"]}, (
        "declared inputs are checked"
    )
    with served(cwd=tmp_path) as url:
        assert predictions(url, [[3, 2], [1.5, 4]]) == [4.5, -0.5]
        assert "age" in ask(url, {"instances": [{"area": 3, "age": "old"}]}, status=400)["error"]["message"]


# code by value ---------------------------------------------------------------------------------------


@pytest.mark.skipif(HERE not in ("3.9", "3.11", "3.13"), reason="no image of this Python here")
def test_code_by_value_brings_its_python(notebook: Path, fresh_name: Name) -> None:
    """A cloudpickled model needs --trust, gets cloudpickle and the Python that compiled it, and another Python is refused."""
    text = (notebook / "make_model.py").read_text().replace("import joblib", "import cloudpickle")
    text = text.replace(
        'joblib.dump(model, HERE / "model.joblib")', '(HERE / "value.pkl").write_bytes(cloudpickle.dumps(model))'
    )
    trained(notebook, text, "by_value.py")
    found = refused(3, "unsafe", "build", "value.pkl", "--include", "by_value.py", cwd=notebook)
    assert "--trust" in found["error"]["hint"]
    words = ("build", "value.pkl", "--trust", "--sample", "rows.csv", "--name", fresh_name("value"))
    other = "3.13" if HERE != "3.13" else "3.11"
    found = refused(4, "resolve", *words, "--python", other, cwd=notebook)
    assert f"compiled by Python {HERE}" in found["error"]["message"]
    shown = mlpack(*words, cwd=notebook)
    assert shown.code == 0, shown
    assert f"Python {HERE}, which compiled the code in value.pkl." in shown.stdout
    assert told("test", "--request", "request.json", "--expected", "expected.json", cwd=notebook)["ok"] is True
