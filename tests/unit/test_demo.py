"""examples/demo.py ends what it started and shows no traceback, whatever `mlpack run` does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Calls the demo's `ask` with a program in the place of `mlpack run`; SIGINT is ignored, as in a CI step or after nohup.
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
sys.path.insert(0, sys.argv[1])
import demo
demo.MLPACK = [sys.executable, "-c", sys.argv[2]]
demo.ask()
"""
SERVES = """
import json, signal, sys
def end(*_):
    open({mark!r}, "w").close()
    sys.exit(130)
signal.signal(signal.SIGTERM, end)
print(json.dumps({{"curl": {curl!r}}}, indent=2), flush=True)
while True:
    signal.pause()
"""


def demo(program: str) -> subprocess.CompletedProcess[str]:
    """What the demo does with this program as `mlpack run`."""
    command = [sys.executable, "-c", PROGRAM, str(ROOT / "examples"), program]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert "Traceback" not in done.stderr, done
    return done


@pytest.mark.skipif(not hasattr(signal, "pause"), reason="waits for a signal as only POSIX can")
@pytest.mark.parametrize(
    ("curl", "code", "said"),
    [
        ("""echo '{"predictions": [1]}'""", 0, '{"predictions": [1]}'),
        ("""echo '{"error": {}}'""", 1, "the service gave no prediction"),
        ("exit 7", 1, "the service did not answer: curl ended with exit code 7"),
    ],
)
def test_the_service_ends_where_ctrl_c_is_ignored(tmp_path: Path, curl: str, code: int, said: str) -> None:
    """Whatever the answer was, the service ends by SIGTERM, in order."""
    mark = tmp_path / "ended-in-order"
    done = demo(SERVES.format(mark=str(mark), curl=curl))
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done
    assert mark.exists()


@pytest.mark.parametrize("says", ["", "{\n", '{\n  "error": {"message": "no container engine"}\n}\n'])
def test_a_service_that_does_not_start_is_shown(says: str) -> None:
    """The demo ends with the exit code of `mlpack run`, and shows what it wrote."""
    done = demo(f"import sys; print({says!r}, end=''); sys.exit(5)")
    assert done.returncode == 5, done
    assert says.strip() in done.stderr
