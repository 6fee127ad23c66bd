"""Mounts that a killed process left, and their end."""

from __future__ import annotations

import re
from pathlib import Path

from .shell import run


def unmount_below(folder: Path) -> None:
    """Unmount the folder and all below it, the innermost first; for when nobody works there."""
    for place in reversed(_mounted_below(folder.resolve())):
        run(["umount", "--lazy", str(place)])


def _mounted_below(folder: Path) -> list[Path]:
    """Read the kernel's list, which is in the order of mounting."""
    table = Path("/proc/self/mountinfo")
    if not table.exists():
        return []
    places = [Path(_plain(line.split()[4])) for line in table.read_text().splitlines()]
    return [place for place in places if place.is_relative_to(folder)]


def _plain(path: str) -> str:
    r"""Undo the kernel's way to write a blank, as \040."""
    return re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), path)
