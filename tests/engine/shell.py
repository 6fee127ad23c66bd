"""The one door to other programs: an argv list, checked, its words on stderr."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import EngineError

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float = 600,
) -> str:
    """Run a program to its end and give its stdout; a failure carries the end of its stderr."""
    try:
        done = subprocess.run(
            argv,
            env=environment(env),
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        raise EngineError(f"{argv[0]} is not on this machine.", "Install it.") from error
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{argv[0]} gave no end within {timeout:.0f} s.", "Try again.") from error
    if done.returncode != 0:
        raise EngineError(f"{argv[0]} failed:\n{tail(done.stderr)}\n", "Mend that and try again.")
    return done.stdout


def detach(argv: Sequence[str], *, log: Path) -> int:
    """Start a program that outlives us and holds none of our files; give its pid."""
    try:
        with log.open("ab") as out:
            return subprocess.Popen(
                argv,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                cwd="/",
            ).pid
    except FileNotFoundError as error:
        raise EngineError(f"{argv[0]} is not on this machine.", "Install it.") from error


def which(program: str) -> str | None:
    """Where a program is; a plain user's PATH may lack the sbin folders that hold daemons."""
    return shutil.which(program, path=environment()["PATH"])


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give our environment, with the sbin folders at the end of PATH."""
    path = [part for part in os.environ.get("PATH", os.defpath).split(":") if part]
    path += [part for part in SBIN if part not in path]
    return {**os.environ, "PATH": ":".join(path), **(extra or {})}


def say(message: str) -> None:
    """Tell progress; stdout belongs to the export lines alone."""
    print(f"engine: {message}", file=sys.stderr, flush=True)


def tail(text: str, lines: int = 15) -> str:
    """Give the end of a long text, where the reason stands."""
    return "\n".join(text.rstrip().splitlines()[-lines:])
