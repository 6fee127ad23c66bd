"""Whether the engine's disk has the room that a build needs, said before anything is sent."""

from __future__ import annotations

import shutil
from pathlib import Path

from mlpack.errors import DiskFullError

# A model lies there as an image of its own and as a layer; half of it is for what else grows meanwhile.
_FIRST, _AGAIN = 2.5, 1.5
# Bytes for an environment: once where it is installed, once where it is copied to.
_ENVIRONMENT = 500_000_000


def needed(model: int, *, there: bool = False) -> int:
    """Bytes that building needs for a model of so many; `there` when the engine has the model already."""
    return int((_AGAIN if there else _FIRST) * model) + _ENVIRONMENT


def free_at(place: Path | None) -> int | None:
    """Bytes free on a folder's disk; None when the folder is not on this machine, or cannot be looked at."""
    try:
        return shutil.disk_usage(place).free if place is not None and place.is_dir() else None
    except OSError:
        return None


def require_room(need: int, free: int | None, place: object) -> None:
    """Raises DiskFullError when less is free than needed; what is not known is no reason to refuse."""
    if free is not None and free < need:
        raise DiskFullError(
            f"the engine's disk has {free / 1e9:.1f} GB free at {place}; this build needs about {need / 1e9:.1f} GB",
            hint="`mlpack clean` lists what it can remove; `docker system prune` frees more.",
        )
