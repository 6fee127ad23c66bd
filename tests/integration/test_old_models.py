"""Models of 2021: made, and asked, on Python 3.9; their containers bring that Python and those packages back."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
import uv

from tests.integration.cli import assert_same, mlpack, predictions, refused, served, told
from tests.integration.conftest import Name

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.network]

PROGRAMS = Path(__file__).with_name("models")
OF_2021 = ["numpy==1.20.3", "scikit-learn==0.24.2", "scipy==1.6.3", "pandas==1.2.4", "joblib==1.0.1", "lightgbm==3.2.1"]
InContainer = Callable[..., None]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that a container may read and write (pytest's own are closed to others)."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture(scope="module")
def in_2021(folder: Path, engine: object) -> InContainer:
    """Runs a program in a plain python:3.9-slim with the packages of 2021 beside it, as their users had them."""
    assert engine is not None
    packages = folder / "packages"
    target = ["--python-version", "3.9", "--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:"]
    subprocess.run([uv.find_uv_bin(), "pip", "install", "-q", *target, "--target", packages, *OF_2021], check=True)

    # LightGBM needs OpenMP, which slim images lack; scikit-learn's wheel brings a copy under another name.
    (packages / "openmp").mkdir()
    shutil.copy(next((packages / "scikit_learn.libs").glob("libgomp*")), packages / "openmp" / "libgomp.so.1")

    def run(*words: str) -> None:
        client = docker.from_env()
        try:
            environment = {"PYTHONPATH": "/work/packages", "LD_LIBRARY_PATH": "/work/packages/openmp"}
            binds = {str(folder): {"bind": "/work", "mode": "rw"}, str(PROGRAMS): {"bind": "/programs", "mode": "ro"}}
            client.containers.run(
                "python:3.9-slim",
                ["python3", *words],
                volumes=binds,
                environment=environment,
                remove=True,
            )
        finally:
            client.close()

    return run


@pytest.fixture(autouse=True)
def base_of_2021() -> None:
    """The 3.9 base, where the test machine's own engine is used; a user's engine pulls the real one."""
    subprocess.run([sys.executable, "-m", "tests.engine", "base", "3.9"], cwd=PROGRAMS.parents[2], check=True)


def test_scikit_learn_0_24_2(folder: Path, in_2021: InContainer, fresh_name: Name) -> None:
    """A pipeline on mixed columns gives the labels and probabilities that it gave on Python 3.9 with 0.24.2."""
    in_2021("/programs/at_0_24.py", "/work")
    made = json.loads((folder / "people.json").read_text())
    assert made["sklearn"] == "0.24.2"
    found = told("inspect", "people.pkl", cwd=folder)
    assert (found["framework_version"], found["safety"]["verdict"]) == ("0.24.2", "safe")
    told("build", "people.pkl", "--name", fresh_name("people"), cwd=folder)
    assert told("test", cwd=folder)["ok"]
    with served(cwd=folder) as url:
        for method in ("predict", "predict_proba"):
            assert_same(predictions(url, made["instances"], method=method), made[method])


def test_lightgbm_in_scikit_learn_of_that_time(folder: Path, in_2021: InContainer, fresh_name: Name) -> None:
    """A real file of 2021 from PyPI (yasa's sleep stages) answers with the values of its own LightGBM."""
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder / "yasa", "yasa==0.8.1"], check=True
    )
    wheel = next((folder / "yasa").glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        (folder / "sleep.joblib").write_bytes(archive.read("yasa/classifiers/clf_eeg_lgb_0.5.0.joblib"))
    chance = random.Random(3)
    rows = [[chance.choice([0.0, 1e6, -1e6, chance.gauss(0, 1)]) for _ in range(65)] for _ in range(60)]
    methods = ["predict", "predict_proba"]
    (folder / "question.json").write_text(json.dumps({"rows": rows, "methods": methods, "entry": None}))
    in_2021("/programs/answer.py", "/work/sleep.joblib", "/work/question.json", "/work/answer.json")
    wanted = json.loads((folder / "answer.json").read_text())

    guessed = mlpack("render", "sleep.joblib", "-o", "guessed", cwd=folder)
    assert "does not record the version of lightgbm: the newest" in guessed.stderr
    told("build", "sleep.joblib", "--framework", "lightgbm==3.2.1", "--name", fresh_name("sleep"), cwd=folder)
    assert told("test", cwd=folder)["ok"]
    with served(cwd=folder) as url:
        for method in methods:
            assert_same(predictions(url, rows, method=method), wanted[method])


def test_versions_that_do_not_fit_are_explained(folder: Path, in_2021: InContainer) -> None:
    """A Python or a companion that the recorded version cannot have is told before anything is built."""
    if not (folder / "people.pkl").exists():
        in_2021("/programs/at_0_24.py", "/work")
    error = refused(4, "resolve", "build", "people.pkl", "--python", "3.12", cwd=folder)["error"]
    assert "0.24.2" in error["message"]
    (folder / "mlpack.yaml").write_text("requirements: ['numpy>=2']\n")
    try:
        error = refused(4, "resolve", "build", "people.pkl", cwd=folder)["error"]
    finally:
        (folder / "mlpack.yaml").unlink()
    assert "numpy" in error["message"]


def test_a_python_before_3_9_is_refused_with_what_would_do(folder: Path) -> None:
    """A file of scikit-learn 0.20.2 needs Python 3.7: said before the build, with versions and remedies."""
    program = (
        "import pickle, sys, sklearn.base\nsklearn.base.__version__ = '0.20.2'\n"
        "from sklearn.linear_model import LinearRegression\n"
        "open(sys.argv[1], 'wb').write(pickle.dumps(LinearRegression().fit([[0.], [1.]], [0., 1.])))"
    )
    subprocess.run([sys.executable, "-c", program, folder / "ancient.pkl"], check=True)
    error = refused(4, "python_too_old", "build", "ancient.pkl", cwd=folder)["error"]
    assert "0.20.2" in error["message"]
    assert "--framework" in error["hint"]
