"""A minute of fuzzing, on all cores. Its inputs are the same in every run: a change fails by its own faults only; `make fuzz` makes new inputs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.loaders.client import FRAMEWORKS_PYTHON, ROOT
from tests.fuzz.runner import run


@pytest.mark.slow
def test_a_minute_of_generated_files_breaks_no_promise(tmp_path: Path) -> None:
    """Whatever a real loader reaches, inspection listed; no file crashes inspection, or takes 10 s or 500 MB of it."""
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.fuzz",
            "--seconds",
            "60",
            "--seed",
            "0",
            "--findings",
            str(tmp_path / "findings"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    assert "no failures" in ran.stdout
    if FRAMEWORKS_PYTHON.exists():
        assert "not run" not in ran.stdout, ran.stdout


def test_a_process_that_ends_is_replaced(tmp_path: Path) -> None:
    """A worker's process checks so many inputs, then another one goes on with the next."""
    summary = run(["protobuf"], seconds=8, seed=1, jobs=1, source="", folder=tmp_path, quiet=True, most=3)
    assert summary.inputs["protobuf"] > 3
    assert not summary.failures
