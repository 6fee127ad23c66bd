"""The mlpack command on a real terminal of a chosen width."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.integration.cli import MLPACK

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a command wrote to its terminal: `raw` with all escape codes, `text` without."""

    code: int
    raw: str

    @property
    def text(self) -> str:
        """The characters alone; what was written over is there too, a line each."""
        return _CODES.sub("", self.raw).replace("\r\n", "\n").replace("\r", "\n")


def on_terminal(
    *words: str | Path, cwd: Path, columns: int = 80, env: Mapping[str, str] | None = None, typed: str = ""
) -> Shown:
    """Runs the command to its end on a terminal of so many columns, where somebody has `typed` already."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR", "TERM"}}
    with subprocess.Popen(
        [*MLPACK, *map(str, words)],
        cwd=cwd,
        env={**inherited, "TERM": "xterm", **(env or {})},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        written = bytearray()
        # Reading a terminal whose other end is closed is an error on Linux, not an end.
        while chunk := _read(ours):
            written += chunk
    os.close(ours)
    return Shown(code=process.returncode, raw=written.decode())


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""
