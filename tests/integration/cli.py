"""The mlpack command as its users meet it: a process of its own, its exit code, and the one JSON document it prints."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MLPACK = (sys.executable, "-m", "mlpack")
PATIENCE_S = 300
TRACEBACK = re.compile(r"^Traceback", re.MULTILINE)  # a container's log may quote one inside its JSON


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command that has ended."""

    words: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    def document(self) -> dict[str, Any]:
        """Stdout, which must be one JSON object and nothing else."""
        try:
            found = json.loads(self.stdout)
        except ValueError:
            raise AssertionError(f"no JSON document on stdout: {self}") from None
        assert isinstance(found, dict), self
        return found


def mlpack(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
    """Runs the command to its end. Whatever happens, a traceback is our bug."""
    named = tuple(str(word) for word in words)
    ended = subprocess.run(
        [*MLPACK, *named],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    done = Done(words=named, code=ended.returncode, stdout=ended.stdout, stderr=ended.stderr)
    assert not TRACEBACK.search(f"{done.stdout}\n{done.stderr}"), done
    return done


def told(*words: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The document of a command that must succeed."""
    done = mlpack(*words, "--json", cwd=cwd, env=env)
    assert done.code == 0, done
    return done.document()


def refused(
    exit_code: int, code: str, *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The document of a command that must fail so: exit status, stable code, a message, and a remedy."""
    done = mlpack(*words, "--json", cwd=cwd, env=env)
    assert done.code == exit_code, done
    document = done.document()
    error = document["error"]
    assert (error["exit"], error["code"]) == (exit_code, code), done
    assert error["message"], done
    assert error["hint"], done
    return document


@contextmanager
def served(*words: str | Path, cwd: Path) -> Iterator[str]:
    """`mlpack run` with these words: gives the service's address, and ends it with Ctrl-C, which must exit with 130."""
    with running("--json", *words, cwd=cwd) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        assert lines, process.communicate()
        yield json.loads("".join(lines))["url"]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130


@contextmanager
def running(*words: str | Path, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """`mlpack run` as a process; ended when the `with` is left."""
    with subprocess.Popen(
        [*MLPACK, "run", *map(str, words)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()  # in order, so that no container is left


def ask(url: str, body: Any, *, path: str = "/predict", status: int = 200) -> Any:
    """POST a JSON body; the answer's JSON, which must come with this status."""
    request = urllib.request.Request(url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            found, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            found, text = error.code, error.read()
    assert found == status, (found, text[:2000])
    return json.loads(text)


def predictions(url: str, rows: list[Any], *, method: str = "predict") -> list[Any]:
    """What the service answers to these rows."""
    answer = ask(url, {"instances": rows}, path=f"/predict?method={method}")
    assert set(answer) == {"predictions"}
    found: list[Any] = answer["predictions"]
    return found


def assert_same(found: list[Any], wanted: list[Any]) -> None:
    """Numbers equal to the last few bits (another BLAS may add in another order); all else exactly, and of the same kind."""
    left, right = np.asarray(found), np.asarray(wanted)
    assert left.shape == right.shape
    assert left.dtype.kind == right.dtype.kind
    if left.dtype.kind == "f":
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-12)
    else:
        assert found == wanted
