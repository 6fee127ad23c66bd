"""Every kind of scikit-learn model goes the line: bundles, texts, plain arrays, clusters, outliers, several outputs, odd labels."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.extra import few
from tests.integration.cli import assert_same, predictions, refused, served, told
from tests.integration.conftest import Name

pytestmark = [pytest.mark.docker, pytest.mark.slow]

PROGRAM = Path(__file__).with_name("models") / "kinds.py"
KINDS = ("bundle", "text", "regressor", "kmeans", "isolation", "two-outputs", "flags", "grades")
TASKS = {"regressor": "regressor", "kmeans": "clusterer", "isolation": "outlier_detector", "two-outputs": "regressor"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one model of each kind, and what each says of its rows."""
    folder = tmp_path_factory.mktemp("kinds")
    subprocess.run([sys.executable, PROGRAM, folder], check=True)
    return folder


@pytest.mark.parametrize("kind", few(KINDS, "bundle", "text", "isolation", "two-outputs", "flags"))
def test_a_kind_of_model(models: Path, fresh_name: Name, kind: str) -> None:
    """Built and tested as it is, it answers with the values, and the kinds of values, that it gave where it was trained."""
    file, options = f"{kind}.pkl", ("--entry", "model") if kind == "bundle" else ()
    found = told("inspect", file, *options, cwd=models)
    assert found["task"] == TASKS.get(kind, "classifier")
    assert found["safety"]["verdict"] == "safe"
    told("build", file, *options, "--name", fresh_name(kind), cwd=models)
    assert told("test", cwd=models)["ok"] is True
    made = json.loads((models / file).with_suffix(".json").read_text())
    with served(cwd=models) as url:
        for method in set(made) - {"rows"}:
            assert_same(predictions(url, made["rows"], method=method), made[method])


def test_a_bundle_needs_its_entry(models: Path) -> None:
    """A dict of an estimator, an encoder and settings is shown as what it holds; a build asks which of it to serve."""
    found = told("inspect", "bundle.pkl", cwd=models)
    assert {content["key"]: content["servable"] for content in found["contents"]}["model"] is True
    assert {content["key"] for content in found["contents"]} == {"model", "encoder", "threshold", "columns"}
    assert "--entry" in refused(3, "ambiguous", "build", "bundle.pkl", cwd=models)["error"]["hint"]
    wrong = refused(2, "usage", "build", "bundle.pkl", "--entry", "nothing", cwd=models)["error"]
    assert "nothing" in wrong["message"]
    assert "model" in wrong["hint"]
