"""The environment of `make models`: its Python, and the models that the makers make with it, each kind once a run."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import pytest

from tests.shared import once

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-frameworks" / "bin" / "python"


@functools.cache
def made(maker: str, kind: str) -> Path:
    """A folder with what `tests/formats/<maker>` makes of a kind; skips the test where the frameworks are not installed."""
    python()

    def make(folder: Path) -> None:
        command = [str(PYTHON), str(Path(__file__).with_name(maker)), str(folder), kind]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr[-3000:]

    return once(f"{Path(maker).stem}-{kind}", make)


def python() -> Path:
    """The frameworks' Python; skips where there is none."""
    if not PYTHON.is_file():
        pytest.skip("TensorFlow, Keras and torch are not installed beside the project: `make models`")
    return PYTHON
