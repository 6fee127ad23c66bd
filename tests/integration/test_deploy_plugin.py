"""A deployment target of another package, which needs a registry: all commands work with it, and mlpack knows nothing of it."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlpack.engines.docker import DockerEngine
from tests.integration.cli import ask, refused, told
from tests.integration.conftest import Packed
from tests.standins.toy_platform import Platform, toy_platform

pytestmark = [pytest.mark.docker, pytest.mark.slow]

TOY = {"PYTHONPATH": str(Path(__file__).parents[1] / "standins" / "toy_package")}  # as if pip had installed it


@pytest.fixture
def platform(engine: DockerEngine) -> Iterator[Platform]:  # noqa: ARG001  # it runs there
    with toy_platform() as running:
        yield running


def colour(url: str) -> str | None:
    """The colour of the revision that answers."""
    with urllib.request.urlopen(f"{url}/ready", timeout=30) as answer:
        found: str | None = answer.headers["X-Colour"]
        return found


def test_a_target_of_another_package(iris: Packed, registry: str, platform: Platform, tmp_path: Path) -> None:
    """Refused without a registry; deployed by digest with an option of its own; replaced, rolled back, moved, and deleted."""
    for name in ("request.json", "expected.json"):
        shutil.copy(iris.folder / name, tmp_path)
    config = f"name: {iris.name}\ntest: {{request: request.json, expected: expected.json}}\n"
    (tmp_path / "mlpack.yaml").write_text(config)
    body, expected = (json.loads((tmp_path / file).read_text()) for file in ("request.json", "expected.json"))
    told("test", iris.image, cwd=tmp_path)

    words = ("deploy", iris.image, "--target", "toy", "--platform-url", platform.url, "--yes")
    without = refused(2, "usage", *words, cwd=tmp_path, env=TOY)
    assert "image: {repository:" in without["error"]["hint"]
    assert platform.services == {}
    (tmp_path / "mlpack.yaml").write_text(f"{config}image: {{repository: {registry}/{iris.name}}}\n")

    def deploy(*words: str) -> dict[str, Any]:
        return told("deploy", *words, "--yes", cwd=tmp_path, env=TOY)

    first = told(*words, "--colour", "blue", cwd=tmp_path, env=TOY)
    assert (first["target"], first["verified"], first["revision"], first["previous"]) == ("toy", "golden", "r1", None)
    assert first["image"].startswith(f"{registry}/{iris.name}@sha256:")
    assert (ask(first["url"], body), colour(first["url"])) == (expected, "blue")

    again = deploy(iris.image, "--colour", "blue")  # target and platform are those of the last deployment
    assert (again["plan"]["changes"], again["revision"]) == ([], "r1")
    second = deploy(first["image"], "--colour", "green")  # from the registry, with the receipt attached to the image
    assert (second["revision"], second["previous"], second["verified"]) == ("r2", "r1", "golden")
    assert set(second["asked"]) == {"before", "staged", "live"}
    assert colour(second["url"]) == "green"

    status = told("status", cwd=tmp_path, env=TOY)
    assert [(one["name"], one["percent"], one["tags"]) for one in status["revisions"]] == [
        ("r2", 100, ["green"]), ("r1", 0, ["blue"]),
    ]  # fmt: skip
    back = told("rollback", cwd=tmp_path, env=TOY)
    assert (back["revision"], back["previous"], colour(first["url"])) == ("r1", "r2", "blue")
    moved = told("traffic", "r2=100", cwd=tmp_path, env=TOY)
    assert (moved["revisions"][0]["percent"], colour(first["url"])) == (100, "green")

    (tmp_path / "expected.json").write_text(json.dumps({"predictions": []}))
    failed = refused(8, "deploy_check", "deploy", iris.image, "--colour", "red", "--yes", cwd=tmp_path, env=TOY)
    assert failed["restored"] == "r2 serves again"
    assert colour(first["url"]) == "green"

    other = refused(2, "usage", "deploy", iris.image, "--region", "x", "--yes", cwd=tmp_path, env=TOY)
    assert other["error"]["message"] == "--region is an option of the target cloudrun, not of toy"
    told("delete", "--yes", cwd=tmp_path, env=TOY)
    refused(8, "deploy_missing", "status", cwd=tmp_path, env=TOY)
    assert platform.services == {}
