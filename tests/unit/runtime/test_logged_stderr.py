"""What C code writes to stderr while a model loads is in the log, a line each, and nothing is written beside the log."""

import json
import subprocess
import sys

PROGRAM = """
import os
from mlpack.runtime.models.loading import logged_stderr
from mlpack.runtime.telemetry.logs import start_log

log = start_log("info")
try:
    with logged_stderr(log):
        os.write(2, b"WARNING: a greeting\\n\\nI0000 port.cc:153] of two lines\\n")
        raise SystemExit(3)
finally:
    log.flush()
    os.write(2, b"afterwards it is stderr again\\n")
"""


def test_a_greeting_on_stderr_becomes_lines_of_the_log() -> None:
    """Also when loading fails; afterwards the descriptor is what it was."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [one["message"] for one in said if one.get("logger") == "stderr"] == [
        "WARNING: a greeting", "I0000 port.cc:153] of two lines",
    ]  # fmt: skip
    assert ended.stderr == "afterwards it is stderr again\n"
