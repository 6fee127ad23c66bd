"""README.md is true: its commands exist, its console sessions run as shown; so do the examples that moved to docs/."""

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
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
ERRORS = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
FENCE = "`" * 3
LINES = 120  # of README at most


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^{FENCE}{language}\n(.*?)^{FENCE}", page, flags=re.MULTILINE | re.DOTALL)


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
    """Every command of the first two console sessions runs in order and prints what the session shows."""
    session, request = blocks("console")
    assert [shlex.split(line)[1] for line in commands(session)] == ["inspect", "build", "test", "push"]
    shown = dict(re.findall(r"^\$ (mlpack \w+[^\n]*)\n(.*?)(?=^\$ |\Z)", session, flags=re.MULTILINE | re.DOTALL))
    for line, output in shown.items():
        words = shlex.split(line.replace("127.0.0.1:5000", os.environ["MLPACK_TEST_REGISTRY"]))
        done = run(words, folder)
        assert done.returncode == 0, done.stderr
        for label in re.findall(r"^(?:  ok   )?([a-z_]+) ", output, flags=re.MULTILINE):
            assert label in done.stdout, f"README shows {label!r} for `{line}`"
        if words[1] == "inspect":  # nothing in it depends on the day
            stable = [text for text in output.splitlines() if text != "..." and not text.startswith("framework")]
            assert [text for text in stable if text not in done.stdout] == []
    _answers_requests(folder, request, blocks("console", ERRORS)[0])


def _answers_requests(folder: Path, request: str, error: str) -> None:
    """`mlpack run` prints a curl command that works, and the service answers the requests of the pages as they show."""
    with running(cwd=folder) as served:
        assert served.stdout is not None
        curl = next((line for line in served.stdout if line.startswith("curl ")), None)
        assert curl, served.communicate()
        answer = subprocess.run(["sh", "-c", curl], capture_output=True, text=True, check=True)
        assert '"predictions"' in answer.stdout
        address = curl.split()[2].removeprefix("http://").removesuffix("/predict")
        for page in (request, error):
            (line,) = commands(page)
            done = subprocess.run(
                ["sh", "-c", line.replace("localhost:8080", address)], capture_output=True, text=True, check=True
            )
            assert done.stdout.startswith(page.splitlines()[1].partition("...}}")[0]), done
        served.send_signal(signal.SIGINT)
        assert served.wait(PATIENCE_S) == 130


def test_every_command_named_exists() -> None:
    """Each `mlpack ...` in README, and each `make ...` in README and CONTRIBUTING.md, is a command or target that exists."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"`make (?:-s )?([a-z-]+)", README + CONTRIBUTING)) <= targets
    named: dict[str, set[str]] = {}
    for found in re.findall(
        r"mlpack ((?:inspect|render|build|test|run|push|deploy|status|rollback|traffic|delete|init|image|doctor|clean)\b"
        r"[^`|\n]*)",
        README,
    ):
        command, *words = found.split()
        named.setdefault(command, set()).update(word for word in words if word.startswith("--"))
    for command, options in named.items():
        shown = run(["mlpack", command, "--help"], ROOT).stdout
        assert [option for option in options if option not in shown] == [], command


def test_the_config_shown_is_taken(tmp_path: Path) -> None:
    """The first mlpack.yaml of docs/configuration.md is valid, and shows every key that there is."""
    text = blocks("yaml", CONFIGURATION)[0]
    (tmp_path / "mlpack.yaml").write_text(text)
    load_config(tmp_path / "mlpack.yaml")
    assert set(yaml.safe_load(text)) == set(Config.model_fields) - {"file"}


def test_readme_is_short_and_its_links_lead_somewhere() -> None:
    """README has at most 120 lines, and each link to a file of the project leads to one."""
    assert len(README.splitlines()) <= LINES
    for page in (README, CONTRIBUTING):
        links = re.findall(r"\]\(([^)\s#]+)[^)]*\)", page)
        assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []
