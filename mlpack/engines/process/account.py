"""The account that a model runs as on this machine: an unprivileged one if possible."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import EngineUnavailableError

_LINKS = 40  # as many as the kernel follows


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user and a group by number, in no other group. `dropped`: it is not this process's own, which is root's."""

    uid: int
    gid: int
    dropped: bool

    def reaches(self, path: Path) -> bool:
        """Whether it may read the file (and run a program), or enter and list the folder; false for what is not there.

        Of another account the mode bits of all that is on the way are read.
        """
        wanted = os.R_OK | (os.X_OK if path.is_dir() or os.access(path, os.X_OK) else 0)
        if not self.dropped:
            return os.access(path, wanted)
        try:
            for step in _steps(path):
                if not all(self._may(folder, 0o1) for folder in step.parents):
                    return False
            return self._may(path, wanted)  # access(2) and the mode use the same bits
        except OSError:
            return False

    def _may(self, path: Path, wanted: int) -> bool:
        found = path.stat()
        mode = stat.S_IMODE(found.st_mode)
        granted = mode >> 6 if found.st_uid == self.uid else mode >> 3 if found.st_gid == self.gid else mode
        return granted & wanted == wanted


def serving_account(user: str) -> Account:
    """The account `UID:GID` if this process is root, which must not load a model; else the account of this process.

    Raises EngineUnavailableError on another system than Linux.
    """
    if sys.platform != "linux":
        raise EngineUnavailableError(
            f"--engine process works only on Linux, not on {sys.platform}", hint="Use Docker: omit --engine."
        )
    if os.geteuid() != 0:
        return Account(uid=os.geteuid(), gid=os.getegid(), dropped=False)
    uid, _, gid = user.partition(":")
    return Account(uid=int(uid), gid=int(gid or uid), dropped=True)


def _steps(path: Path) -> list[Path]:
    """The path, and where each link leads that it ends in; at last the place itself."""
    found = [path.absolute()]
    while len(found) < _LINKS and found[-1].is_symlink():
        found.append(found[-1].parent / found[-1].readlink())
    return [*found, path.resolve(strict=True)]
