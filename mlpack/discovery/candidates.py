"""Find files in a folder that may be models, by name and first bytes only."""

from __future__ import annotations

import re
import stat
from collections.abc import Collection, Sequence
from pathlib import Path

from mlpack.formats.base import Format
from mlpack.readers.pickles.files import SUFFIXES as PICKLES
from mlpack.readers.streams import COMPRESSED_SUFFIXES

# joblib < 0.10 stores each array in a separate file next to the pickle: clf.pkl, clf.pkl_01.npy, ...
_SIDE_FILE = re.compile(r"\.\w+_\d+\.npy(\.\w+)?$")
_MOST_FILES = 40
_MOST_ENTRIES = 5000
_DEPTH = 3


def candidates(folder: Path, formats: Sequence[Format]) -> tuple[list[Path], bool]:
    """The files below a folder that may be models, sorted, and whether the list is incomplete.

    Search three levels deep. Links and files that are not regular are skipped.
    """
    suffixes = {*PICKLES, *COMPRESSED_SUFFIXES, *(suffix for one in formats for suffix in one.suffixes)}
    found: list[Path] = []
    left = [(folder, 1)]
    entries = 0
    while left:
        current, depth = left.pop()
        try:
            items = sorted(current.iterdir())
        except OSError:
            continue  # an unreadable subfolder is skipped
        for item in items:
            entries += 1
            mode = item.lstat().st_mode
            if stat.S_ISDIR(mode) and depth < _DEPTH and not item.name.startswith("."):
                left.append((item, depth + 1))
            elif stat.S_ISREG(mode) and _likely(item, suffixes):
                found.append(item)
        if entries > _MOST_ENTRIES:
            break
    found.sort()
    return found[:_MOST_FILES], len(found) > _MOST_FILES or entries > _MOST_ENTRIES


def _likely(file: Path, suffixes: Collection[str]) -> bool:
    if _SIDE_FILE.search(file.name) or file.name.startswith("."):
        return False
    if file.suffix.lower() in suffixes:
        return True
    try:
        with file.open("rb") as stream:
            head = stream.read(2)
    except OSError:
        return False
    return len(head) == 2 and head[0] == 0x80 and 2 <= head[1] <= 5  # a pickle's PROTO opcode
