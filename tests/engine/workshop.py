"""A folder for what is half made: in memory where there is enough, since a disk doubles the time."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from .errors import EngineError
from .mounts import unmount_below
from .shell import run

# A base needs some 500 MB while it is made; the rest is for those who work beside us.
ENOUGH = 3 << 30


@contextlib.contextmanager
def workshop(folder: Path) -> Iterator[Path]:
    """Give the folder, empty; what a killed run left in it goes first."""
    _clear(folder)
    folder.mkdir()
    try:
        if os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > ENOUGH:
            # Without leave to mount the disk will do.
            with contextlib.suppress(EngineError):
                run(["mount", "-t", "tmpfs", "-o", "size=2g,mode=700", "mlpack-test-engine", str(folder)])
        yield folder
    finally:
        _clear(folder)


def _clear(folder: Path) -> None:
    unmount_below(folder)
    shutil.rmtree(folder, ignore_errors=True)
