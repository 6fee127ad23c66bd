"""examples/ensemble: three frameworks, better together than each alone, and one command brings them up."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlpack.engines.docker import DockerEngine
from tests.integration.cli import ask, told
from tests.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.slow]
EXAMPLE = Path(__file__).parents[2] / "examples" / "ensemble"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A copy of the example with its models, and what their training printed."""
    folder = tmp_path_factory.mktemp("example") / "ensemble"
    folder.mkdir()
    for name in ("make_models.py", "ensemble.yaml", "README.md"):
        shutil.copy(EXAMPLE / name, folder)
    done = subprocess.run([sys.executable, "make_models.py"], cwd=folder, check=True, capture_output=True, text=True)
    return folder, done.stdout


@pytest.fixture
def up(trained: tuple[Path, str], compose: None) -> Iterator[dict[str, object]]:  # noqa: ARG001  # is there
    """The ensemble, brought up as its README says."""
    folder, _ = trained
    try:
        yield told("ensemble", "up", "--port", str(free_port()), cwd=folder)
    finally:
        told("ensemble", "down", cwd=folder)


def test_the_ensemble_is_better_than_each_member(trained: tuple[Path, str]) -> None:
    """On images that no member was trained on; the README has these figures."""
    folder, printed = trained
    right = {
        name.strip(): float(percent) for name, percent in re.findall(r"^(.+?)\s+([\d.]+) %", printed, re.MULTILINE)
    }
    together = right.pop("ensemble")
    assert len(right) == 3
    assert together > max(right.values())
    shown = re.findall(r"^\| (.+?) \| ([\d.]+) % \|", (folder / "README.md").read_text(), re.MULTILINE)
    told_so = {name: float(percent) for name, percent in shown}
    assert told_so.pop("ensemble") == pytest.approx(together, abs=0.5)
    assert told_so == pytest.approx(right, abs=0.5)


def test_one_command_brings_it_up(trained: tuple[Path, str], up: dict[str, object], engine: DockerEngine) -> None:
    """Its answers are those of the models where they were trained; `down` leaves nothing."""
    folder, _ = trained
    body, expected = (json.loads((folder / name).read_text()) for name in ("request.json", "expected.json"))
    assert ask(str(up["url"]), body) == expected
    curl = subprocess.run(["sh", "-c", str(up["curl"])], cwd=folder, capture_output=True, text=True, check=True)
    assert len(json.loads(curl.stdout)["predictions"]) == 1
    names = {name.lstrip("/") for one in engine._client.containers() for name in one["Names"]}
    assert {"digits", "digits-kernel", "digits-boosted", "digits-network"} <= names
