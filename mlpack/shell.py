"""The only way to run subprocesses: an argv list, with a timeout, never a shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Output:
    """The result of a command: its exit code and its output."""

    code: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    timeout_s: float = 600,
    user: tuple[int, int] | None = None,
    inherit: bool = True,
) -> Output:
    """Run a command to its end; a non-zero exit code raises nothing.

    `env` is added to this process's environment (an empty value removes the name). Pass secrets in `env` or `stdin`, never
    in `argv`, which other users of the machine can read. `user` is the UID and GID to run as, which only root can choose;
    without `inherit`, the command sees `env` alone. Raises FileNotFoundError, subprocess.TimeoutExpired.
    """
    full = {**(os.environ if inherit else {}), **(env or {})}
    for name, value in (env or {}).items():
        if value == "":
            full.pop(name, None)
    done = subprocess.run(
        [str(word) for word in argv],
        env=full,
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout_s,
        check=False,
        user=None if user is None else user[0],
        group=None if user is None else user[1],
        extra_groups=None if user is None else [],
    )
    return Output(code=done.returncode, stdout=done.stdout, stderr=done.stderr)
