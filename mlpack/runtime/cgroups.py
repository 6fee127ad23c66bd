"""The cgroups around this process, as the kernel describes them (cgroups(7))."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator, Tuple

VERSION_2 = "0"
_MOST_DIGITS = 18


def groups(root: Path, controller: str) -> Iterator[Tuple[Path, bool]]:
    """The folder of each group that may limit this process's `controller`, and whether it is of version 2."""
    mounted = root / "sys" / "fs" / "cgroup"
    for line in text_of(root / "proc" / "self" / "cgroup").splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == VERSION_2:
            tops = [mounted]
        elif controller in names.split(","):
            tops = [mounted / names, mounted / controller]
        else:
            continue
        for top in tops:
            inner = top / path.strip("/")
            for folder in dict.fromkeys([top, inner, *(one for one in inner.parents if top in one.parents)]):
                yield folder, number == VERSION_2


def text_of(path: Path) -> str:
    """What a file of the kernel says, "" where there is none."""
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""


def is_count(text: str) -> bool:
    """Whether a text is a number as the kernel or a variable writes one, and not so great that it stands for none."""
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
