"""A package that exists only as a source package: refused with its key, built in a stage of its own, importable in the image."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.cli import predictions, refused, served, told
from tests.integration.conftest import Name
from tests.unit.packages.standin_index import Release, serve

pytestmark = [pytest.mark.docker, pytest.mark.slow]

PREDICTOR = """
import json

import built_here
import docopt

INPUTS = {"x": "FP64"}
BUILD = json.loads(built_here.BUILD)


def load(path):
    return json.loads(open(path).read())


def predict(model, instances):
    seen = [name for name in BUILD["variables"] if "INDEX" in name or "FIND_LINKS" in name]
    return [{"docopt": docopt.__version__, "uid": BUILD["uid"], "private": BUILD["private"], "settings": seen} for _ in instances]
"""


def test_a_source_package_is_built_in_a_stage_of_its_own(tmp_path: Path, fresh_name: Name) -> None:
    """docopt of PyPI, and a package of another index whose wheel says that its build saw neither root, settings nor logins."""
    (tmp_path / "numbers.json").write_text("[1]")
    (tmp_path / "predict.py").write_text(PREDICTOR)
    words = (
        "numbers.json", "--predictor", "predict.py", "--name", fresh_name("sdists"),
        "--require", "docopt", "--require", "built-here",
    )  # fmt: skip
    with serve((Release("built-here", "1.0", "2023-01-01T10:00:00Z", (), ("sdist",)),)) as index:
        env = {"PIP_EXTRA_INDEX_URL": index.url}
        document = refused(4, "resolve", "build", *words, cwd=tmp_path, env=env)
        assert "`build: {sdists: [built-here, docopt]}`" in document["error"]["hint"]
        assert document["error"]["command"].endswith("--sdist built-here --sdist docopt")
        (tmp_path / "mlpack.yaml").write_text("build: {sdists: [docopt, built-here]}\n")
        built = told("build", *words, cwd=tmp_path, env=env)
    installed = {
        one["name"].partition(" ")[0].lower() for one in told("image", str(built["id"]), cwd=tmp_path)["packages"]
    }
    assert "docopt" in installed
    assert not {"setuptools", "wheel"} & installed
    with served(cwd=tmp_path) as url:
        (answer,) = predictions(url, [{"x": 1.0}])
    assert answer == {"docopt": "0.6.2", "uid": 65532, "private": False, "settings": []}
