"""The environment of `make models`: its Python, and the models that the makers make with it, each kind once a run."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

import pytest

from tests.shared import once

ROOT = Path(__file__).parents[2]
GUARD = ROOT / "mlpack" / "runtime" / "models" / "guard.py"
PYTHON = ROOT / ".venv-frameworks" / "bin" / "python"


@functools.cache
def made(maker: str, kind: str) -> Path:
    """A folder with what `tests/formats/<maker>` makes of a kind; skips the test where the frameworks are not installed."""
    python()

    def make(folder: Path) -> None:
        run(str(Path(__file__).with_name(maker)), str(folder), kind)

    return once(f"{Path(maker).stem}-{kind}", make)


def run(*words: str) -> str:
    """What the frameworks' Python prints with these words; it finds `tests.loading`. Skips where there is none."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([python(), *words], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


def python() -> Path:
    """The frameworks' Python; skips where there is none."""
    if not PYTHON.is_file():
        pytest.skip("TensorFlow, Keras and torch are not installed beside the project: `make models`")
    return PYTHON
