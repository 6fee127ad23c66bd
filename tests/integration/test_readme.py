"""README.md is true: its commands are real, its console sessions run as shown."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mlpack.config import Config, load_config
from tests.integration.cli import PATIENCE_S, running

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = "`" * 3


def blocks(language: str) -> list[str]:
    return re.findall(rf"^{FENCE}{language}\n(.*?)^{FENCE}", README, flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    return re.findall(r"^\$ (.+)$", text, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the iris example with its model made, as a reader would have it."""
    place = tmp_path_factory.mktemp("readme") / "iris"
    shutil.copytree(ROOT / "examples" / "iris", place, ignore=shutil.ignore_patterns(".mlpack", "*.pkl"))
    subprocess.run([sys.executable, "make_model.py"], cwd=place, check=True, capture_output=True)
    return place


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlpack", *words[1:]]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.docker
@pytest.mark.usefixtures("engine")
def test_the_first_screen_works(folder: Path) -> None:
    """Every command of the first console session runs in order and says what the session shows."""
    session = blocks("console")[0]
    assert [shlex.split(line)[1] for line in commands(session)] == ["inspect", "build", "test", "run", "push"]
    shown = dict(re.findall(r"^\$ (mlpack \w+[^\n]*)\n(.*?)(?=^\$ |\Z)", session, flags=re.MULTILINE | re.DOTALL))
    for line, output in shown.items():
        words = shlex.split(line.replace("127.0.0.1:5000", os.environ["MLPACK_TEST_REGISTRY"]))
        if words[1] == "run":
            _serves_and_is_asked(folder)
            continue
        done = run(words, folder)
        assert done.returncode == 0, done.stderr
        for label in re.findall(r"^(?:  ok   )?([a-z_]+) ", output, flags=re.MULTILINE):
            assert label in done.stdout, f"README shows {label!r} for `{line}`"
        if words[1] == "inspect":  # nothing in it depends on the day
            stable = [
                text for text in output.splitlines() if text and not text.startswith(("file", "framework", "needs"))
            ]
            assert [text for text in stable if text not in done.stdout] == []


def _serves_and_is_asked(folder: Path) -> None:
    with running(cwd=folder) as served:
        assert served.stdout is not None
        curl = next((line for line in served.stdout if line.startswith("curl ")), None)
        assert curl, served.communicate()
        answer = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=True)
        assert '"predictions"' in answer.stdout
        served.send_signal(signal.SIGINT)
        assert served.wait(PATIENCE_S) == 130


def test_every_command_named_exists() -> None:
    """A `mlpack ...` or `make ...` anywhere in README is a command, an option or a target that there is."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)", README)) <= targets
    named: dict[str, set[str]] = {}
    for found in re.findall(
        r"mlpack ((?:inspect|render|build|test|run|push|deploy|status|rollback|traffic|delete|init)[^`|\n]*)", README
    ):
        command, *words = found.split()
        named.setdefault(command, set()).update(word for word in words if word.startswith("--"))
    for command, options in named.items():
        shown = run(["mlpack", command, "--help"], ROOT).stdout
        assert [option for option in options if option not in shown] == [], command


def test_the_config_shown_is_taken(tmp_path: Path) -> None:
    """The mlpack.yaml of README is valid, and shows every key that there is."""
    text = blocks("yaml")[0]
    (tmp_path / "mlpack.yaml").write_text(text)
    load_config(tmp_path / "mlpack.yaml")
    assert set(yaml.safe_load(text)) == set(Config.model_fields) - {"file"}
