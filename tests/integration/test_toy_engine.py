"""An engine of another package goes the whole line: nothing in mlpack knows of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlpack.engines.base import Limits
from tests.integration.cli import ask, mlpack, refused, served, told
from tests.ports import free_port
from tests.standins import toy_engine
from tests.standins.toy_engine import ToyEngine

pytestmark = pytest.mark.network
ROOT = Path(__file__).parents[2]
TOY = ("--engine", "toy")
ROW = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the trained iris, a package with the engine on the path, and no Docker."""
    folder = tmp_path_factory.mktemp("toy")
    installed = folder / "installed"
    (installed / "toy_engine-1.0.dist-info").mkdir(parents=True)
    shutil.copy(toy_engine.__file__, installed / "toy_engine.py")
    info = installed / "toy_engine-1.0.dist-info"
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-engine\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlpack.engines]\ntoy = toy_engine:ToyEngine\n")
    for file in ("make_model.py", "mlpack.yaml"):
        shutil.copy(ROOT / "examples" / "iris" / file, folder)
    subprocess.run([sys.executable, "make_model.py"], cwd=folder, check=True, capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(installed))
        patch.setenv("TOY_ENGINE", str(folder / "engine"))
        patch.setenv("DOCKER_HOST", f"unix://{folder}/none.sock")
        yield folder


@pytest.fixture(scope="module")
def built(place: Path) -> dict[str, Any]:
    """The image of iris, built by the toy engine."""
    return told("build", *TOY, "--version", "1.4.0", cwd=place)


def test_the_line_with_an_engine_of_another_package(place: Path, built: dict[str, Any]) -> None:
    """Build once, test, run, push and look by the command line."""
    assert {tag.rpartition(":")[2] for tag in built["tags"]} >= {"latest", "1.4.0"}
    assert told("build", *TOY, "--version", "1.4.0", cwd=place)["cached"] is True
    refused(2, "usage", "test", "--entry", "model", *TOY, cwd=place)  # an image, not a model, is named here
    report = told("test", *TOY, cwd=place)
    assert (report["ok"], report["engine"]) == (True, "toy")
    assert report["receipt"]
    with served(*TOY, cwd=place) as url:
        assert len(ask(url, {"instances": [ROW]})["predictions"]) == 1

    name = f"127.0.0.1:{free_port()}/ml/iris"
    done = mlpack("push", *TOY, "--to", name, "--json", cwd=place)
    assert done.code == 0, done
    pushed = done.document()
    assert pushed["verified"] is True
    assert pushed["reference"] == f"{name}@{pushed['digest']}"
    manifest = place / "engine" / "registry" / pushed["digest"].removeprefix("sha256:") / "manifest.json"
    assert built["id"] in manifest.read_text()

    assert {layer["made_by"] for layer in told("image", *TOY, cwd=place)["layers"]} >= {"model", "serve.py"}
    found = told("doctor", *TOY, cwd=place)
    assert {one["name"]: one["seen"] for one in found["checks"]}["engine"].startswith("Toy 1, linux/")
    assert "buildkit" not in {one["name"] for one in found["checks"]}


def test_the_engine_of_mlpack_yaml_and_a_dockerfile_of_ones_own(place: Path) -> None:
    """`engine:` chooses it as the option does; a Dockerfile of the user's own it refuses before the packages are resolved."""
    (place / "own").mkdir()
    (place / "own" / "Dockerfile.j2").write_text('{% extends "mlpack/Dockerfile.j2" %}{% block extra %}{% endblock %}')
    config = place / "own.yaml"
    config.write_text("engine: toy\nmodel: model.pkl\ntemplates: own\n")
    error = refused(2, "usage", "build", "--config", config, cwd=place)["error"]
    assert "the engine Toy cannot build from a Dockerfile of your own" in error["message"]


def test_it_runs_jobs(built: dict[str, Any]) -> None:
    """A command in the image to its end, and the files that it wrote."""
    engine = ToyEngine.connect()
    image = engine.find(built["id"])
    assert image is not None
    program = "import os, sys; os.mkdir(sys.argv[1]); open(sys.argv[1] + '/out.txt', 'w').write('done'); sys.exit(4)"
    command = ("/opt/venv/bin/python", "-c", program, "/tmp/out")
    done = engine.job(image, limits=Limits(), command=command, outputs="/tmp/out")
    assert (done.exit.code, done.files) == (4, {"out.txt": b"done"})


def test_clean_removes_its_images(place: Path) -> None:
    """`clean` lists and removes them by their labels and tags."""
    told("build", *TOY, "--name", "other", cwd=place)
    removed = told("clean", "other", "--yes", *TOY, cwd=place)["removed"]
    assert [item["kind"] for item in removed] == ["image"]
    assert ToyEngine.connect().find("other") is None
