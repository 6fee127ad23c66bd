"""docs/notebook-to-url.md is true: its notebook makes the model, its commands do in order what the page shows."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli import Done, mlpack, running
from tests.integration.conftest import Name

pytestmark = [pytest.mark.docker, pytest.mark.slow]

PAGE = (Path(__file__).parents[2] / "docs" / "notebook-to-url.md").read_text(encoding="utf-8")
FENCE = "`" * 3
LOCAL = "127.0.0.1:5000"


def blocks(language: str) -> list[str]:
    """The page's blocks of a language."""
    return re.findall(rf"^{FENCE}{language}\n(.*?)^{FENCE}", PAGE, flags=re.MULTILINE | re.DOTALL)


def sessions() -> Iterator[tuple[list[str], str]]:
    """Each command that the page shows, as words, with the output below it."""
    for block in blocks("console"):
        for line, output in re.findall(r"^\$ ([^\n]*)\n(.*?)(?=^\$ |\Z)", block, flags=re.MULTILINE | re.DOTALL):
            yield shlex.split(line), output


def test_the_page_takes_a_notebook_to_a_registry(
    tmp_path: Path, registry: str, fresh_name: Name, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who follows the page, wrong steps first, sees what it shows and ends with a digest."""
    folder = tmp_path / "churn"
    folder.mkdir()
    _train(folder)
    monkeypatch.setenv("MLPACK_NAME", fresh_name("churn"))
    done = []
    for words, output in sessions():
        done.append(words[0:2])
        if words[0] != "mlpack":
            assert words[0] in {"curl", "docker"}, words
        elif words[1] == "run":
            _serves(folder, output)
        else:
            _does(words[1:], output, folder, registry)
    assert [words[1] for words in done if words[0] == "mlpack"][-3:] == ["test", "run", "push"]


def _train(folder: Path) -> None:
    """The notebook as a file, and its cells run in `__main__`, as a kernel runs them."""
    cells = blocks("python")
    document = {
        "cells": [
            {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": cell.rstrip("\n")}
            for cell in cells
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (folder / "churn.ipynb").write_text(json.dumps(document))
    subprocess.run([sys.executable, "-"], input="\n\n".join(cells), cwd=folder, text=True, check=True)


def _does(words: list[str], output: str, folder: Path, registry: str) -> Done:
    """Runs one command; it ends as the page says, and what the page shows of its words and labels is there."""
    done = mlpack(*(word.replace(LOCAL, registry) for word in words), cwd=folder)
    assert (done.code == 0) == ("error: " not in output), done
    said = " ".join((done.stdout + done.stderr).split())
    for line in output.splitlines():
        if "error: " in output:
            assert " ".join(line.split()) in said, (line, done)
        elif label := re.match(r"(?:  ok   )?([a-z_]+)(?: |$)", line):
            assert label[1] in said, (line, done)
    return done


def _serves(folder: Path, output: str) -> None:
    """`mlpack run` prints a curl line; pasted into a shell it gives predictions."""
    assert "curl -s " in output
    with running(cwd=folder) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("curl "))
        answer = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
        assert json.loads(answer.stdout)["predictions"][0] in {"leaves", "stays"}
