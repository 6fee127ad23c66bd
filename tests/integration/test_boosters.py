"""Boosters, skops, MLflow folders and scikit-learn's likes go the line: file, image, test, and answers compared by value."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
import yaml

from tests.extra import extra
from tests.formats.booster_models import Made, make
from tests.integration.cli import predictions, served, told
from tests.integration.conftest import Name

pytestmark = [pytest.mark.docker, pytest.mark.slow]

# One of each library and way to keep a model; then what shows the same with other models of these libraries.
NAMES = (
    "xgb-classes.ubj",
    "lgb-table.txt",
    "cat-classes.cbm",
    "table.skops",
    "lgb-classes.pkl",
    "formula.pkl",
    "smote.pkl",
)
MORE = ("xgb-soft.ubj", "cat-text.cbm", "xgb-classes.pkl", "cat-classes.pkl")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Every model with its rows and answers."""
    return make(tmp_path_factory.mktemp("boosters"))


def _assert_same(found: Any, wanted: Any) -> None:
    """Equal by value; an answer that is no number is null in JSON."""
    if wanted.dtype.kind == "f":
        array = np.array([[np.nan if one is None else one for one in np.atleast_1d(row)] for row in found], dtype=float)
        np.testing.assert_allclose(array.reshape(wanted.shape), wanted, rtol=1e-6, atol=1e-9, equal_nan=True)
    else:
        assert found == wanted.tolist()


@pytest.mark.parametrize("name", [*NAMES, *extra(*MORE)])
def test_it_goes_the_line(made: dict[str, Made], name: str, fresh_name: Name, tmp_path: Path) -> None:
    """Built and tested as it is, it gives sixty rows the answers that its own library gave, missing and extreme values included."""
    one = made[name]
    shutil.copy(one.path, tmp_path)
    told("build", name, "--name", fresh_name(name.partition(".")[0]), cwd=tmp_path)
    assert told("test", cwd=tmp_path)["ok"] is True
    with served(cwd=tmp_path) as url:
        for method, wanted in one.answers.items():
            _assert_same(predictions(url, one.rows, method=method), wanted)


def test_an_mlflow_folder(made: dict[str, Made], fresh_name: Name, tmp_path: Path) -> None:
    """A folder around a model is built as that model, without MLflow in the image; its example is the one that it shows."""
    one = made["xgb-soft.ubj"]
    folder = tmp_path / "churn"
    folder.mkdir()
    shutil.copy(one.path, folder / "model.ubj")
    document = {"flavors": {"xgboost": {"data": "model.ubj"}, "python_function": {"loader_module": "mlflow.xgboost"}}}
    row = [[0.25] * len(one.rows[0])]
    (folder / "input_example.json").write_text(json.dumps(row))
    (folder / "MLmodel").write_text(
        yaml.safe_dump({**document, "saved_input_example_info": {"artifact_path": "input_example.json"}})
    )
    (folder / "requirements.txt").write_text("mlflow==3.1.0\n")
    told("build", "churn", "--name", fresh_name("mlflow"), cwd=tmp_path)
    assert told("test", cwd=tmp_path)["ok"] is True
    with served(cwd=tmp_path) as url:
        _assert_same(predictions(url, one.rows), one.answers["predict"])
        with urlopen(f"{url}/openapi.json") as answer:  # a container of this test
            assert "0.25" in answer.read().decode()
