"""Each case as its user would take it: inspect the file, type what mlpack prints, run it, and ask it what training answers.

The cases run on this machine's own process engine, whose environments stay in mlpack's cache: the first run installs some
six gigabytes. A case that needs no more than the project's development packages and few seconds runs in `make test-all`.
"""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.extra import few
from tests.integration.cli import PATIENCE_S, mlpack, running, told

pytestmark = [
    pytest.mark.network,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the process engine knows Linux only"),
]
ROOT = Path(__file__).parents[2]
PROGRAMS = {path.stem: path for path in sorted(Path(__file__).parent.glob("*/c[0-9][0-9]_*.py"))}
QUICK = (
    "c04_text",
    "c06_multioutput",
    "c23_grid_custom_scorer",
    "c65_wrapper_class",
    "c75_null_where_not_allowed",
    "c81_awkward_names",
)
OLD = {"c01_none_imputer": ("scikit-learn==1.5.2", "numpy==1.26.4", "pandas==2.2.3")}
HERE = ("--engine", "process")
INIT = re.compile(r"`(mlpack init [^`]+)`")
NEXT = re.compile(r"(mlpack build .+)$", re.MULTILINE)
TOLERANCE = 2e-6


@pytest.mark.parametrize("name", few(PROGRAMS, *QUICK))
def test_it_is_served_as_its_user_expects(name: str, tmp_path: Path) -> None:
    """The model answers as in training, at the first try or after one command line that mlpack printed; or it is refused with the reason."""
    case = made(name, tmp_path)
    for file in case["files"]:
        if "code" in case:
            assert_refused(case, file, tmp_path)
            continue
        words = words_of(case, file, tmp_path)
        with served(*words, cwd=tmp_path) as url:
            with urllib.request.urlopen(url + "/ready", timeout=10) as answer:
                assert json.load(answer).get("verified", True), words
            wrong = [problem for question in case["questions"] for problem in problems(url, question)]
        assert not wrong, "\n".join([shlex.join(words), *wrong])


def made(name: str, folder: Path) -> dict[str, Any]:
    """What the case's program says, after it has filled the folder; skips where the environment is not installed."""
    program = ".".join(PROGRAMS[name].with_suffix("").relative_to(ROOT).parts)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    ended = subprocess.run(
        [*python_of(name), "-m", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    found: dict[str, Any] = json.loads((folder / "case.json").read_text())
    return found


def python_of(name: str) -> list[str]:
    """The command that starts the Python with which the case's program runs."""
    if name in QUICK:
        return [sys.executable]
    if name in OLD:
        import uv

        packages = [word for package in OLD[name] for word in ("--with", package)]
        return [uv.find_uv_bin(), "run", "--quiet", "--no-project", "--python", "3.11", *packages, "python"]
    python = ROOT / ".venv-wild" / "bin" / "python"
    if not python.is_file():
        pytest.skip("the packages of the cases are not installed beside the project: `make wild`")
    return [str(python)]


def words_of(case: dict[str, Any], file: str, folder: Path) -> list[str]:
    """The words after `mlpack` that serve the file: the first try, or what mlpack prints instead."""
    first = ["run", file, *HERE]
    needs = told("inspect", file, cwd=folder)["to_build"]["needs"]
    assert bool(needs) is (case["after"] != "first try"), needs
    if not needs:
        return first
    error = refusal(first, folder)
    if case["after"] == "command":
        return typed(error["command"])
    said = " ".join(need["hint"] for need in (error, *error["needs"]))
    init = mlpack(*typed(only(INIT, said)), cwd=folder)
    assert init.code == 0, init
    _, *words = typed(only(NEXT, init.stdout))  # `mlpack build` and the model
    needs = told("inspect", *words, cwd=folder)["to_build"]["needs"]
    again = ["run", *words, *HERE]
    return typed(refusal(again, folder)["command"]) if needs else again


def refusal(words: list[str], folder: Path) -> dict[str, Any]:
    """The error of a command that must fail."""
    done = mlpack(*words, "--json", cwd=folder)
    error: dict[str, Any] = done.document().get("error") or {}
    assert done.code == error.get("exit", 0) != 0, done
    return {"needs": [], "command": "", **error}


def typed(line: str) -> list[str]:
    """The words after `mlpack` of a command line that mlpack prints."""
    program, *words = shlex.split(line) or [""]
    assert program == "mlpack", line
    return words


def only(pattern: re.Pattern[str], text: str) -> str:
    """What the pattern finds in the text."""
    found = pattern.search(text)
    assert found, (pattern.pattern, text)
    return found[1]


def assert_refused(case: dict[str, Any], file: str, folder: Path) -> None:
    """`mlpack test` fails with the case's code; message and remedy name what they should."""
    done = mlpack("test", file, *HERE, "--json", cwd=folder)
    error = done.document()["error"]
    assert (done.code, error["code"]) == (error["exit"], case["code"]), done
    needs = [f"{need['text']} {need['hint']}" for need in error.get("needs", ())]
    said = " ".join([done.stderr, error["message"], error["hint"], *needs])
    assert not [name for name in case["names"] if name not in said], said


@contextmanager
def served(*words: str, cwd: Path) -> Iterator[str]:
    """The address of the service that these words start; it ends with the block."""
    with running(*words[1:], "--json", cwd=cwd) as process:
        assert process.stdout is not None
        watch = threading.Timer(PATIENCE_S, process.terminate)
        watch.start()
        lines: list[str] = []
        try:
            while lines[-1:] != ["}\n"] and (line := process.stdout.readline()):
                lines.append(line)
        finally:
            watch.cancel()
        document = json.loads("".join(lines) or "{}")
        assert "url" in document, (words, document, "" if lines else process.communicate())
        yield document["url"]


def problems(url: str, question: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the answer to one question."""
    body = json.dumps(question["body"]).encode()
    request = urllib.request.Request(url + question["path"], body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, text = error.code, error.read()
    got = json.loads(text)
    if status != question["status"]:
        yield f"{question['name']}: {status} instead of {question['status']}: {text[:700]!r}"
    elif question["want"] is not None and not same(got.get("predictions"), question["want"]):
        yield f"{question['name']}: {text[:700]!r} instead of {question['want']}"


def same(got: Any, want: Any) -> bool:
    """Whether two answers are one, apart from the last digits of numbers."""
    if isinstance(got, bool) or isinstance(want, bool):
        return got is want
    if isinstance(got, int | float) and isinstance(want, int | float):
        return math.isclose(got, want, rel_tol=TOLERANCE, abs_tol=1e-7)
    if isinstance(got, list) and isinstance(want, list):
        return len(got) == len(want) and all(map(same, got, want))
    if isinstance(got, dict) and isinstance(want, dict):
        return got.keys() == want.keys() and all(same(got[key], want[key]) for key in want)
    return bool(got == want)
