"""What all workers of one test run share: folders that are filled once, whoever needs them first."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

VARIABLE = "MLPACK_TESTS_SHARED"  # set before the workers start, which inherit it


def open_folder() -> Callable[[], None]:
    """Make the run's folder and name it to the workers; gives what removes it."""
    folder = tempfile.mkdtemp(prefix="mlpack-tests-")
    os.environ[VARIABLE] = folder

    def remove() -> None:
        os.environ.pop(VARIABLE, None)
        shutil.rmtree(folder, ignore_errors=True)

    return remove


def once(name: str, fill: Callable[[Path], None]) -> Path:
    """The folder of that name, which `fill` has filled; other workers wait for it meanwhile."""
    import fcntl

    place = Path(os.environ[VARIABLE])
    folder, filled = place / name, place / f"{name}.filled"
    with (place / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not filled.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
            folder.mkdir()
            fill(folder)
            filled.touch()
    return folder
