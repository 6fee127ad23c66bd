"""Check a path before reading: a regular file or a folder, or an error with the reason."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import UnreadableModelError

HEAD = 4096

_SPECIAL = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a block device"),
    (stat.S_ISCHR, "a character device"),
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A readable path: `size` in bytes (0 for a folder), the first bytes, the target of a symbolic link."""

    path: Path
    folder: bool
    size: int = 0
    head: bytes = b""
    link: str = ""


def look(path: Path) -> Place:
    """Check a path; only regular files are opened, so that a pipe cannot block.

    Raises UnreadableModelError: missing, dangling or cyclic link, pipe, socket, device, no permission, empty.
    """
    name = shown(path)
    try:
        found = path.stat()
        link = str(path.readlink()) if path.is_symlink() else ""
        if stat.S_ISDIR(found.st_mode):
            os.scandir(path).close()  # checks the permission to list it
            return Place(path=path, folder=True, link=link)
        special = next((words for test, words in _SPECIAL if test(found.st_mode)), None)
        if special:
            raise UnreadableModelError(f"{name} is {special}, not a file.", hint="Save its content to a file.")
        if found.st_size == 0:
            raise UnreadableModelError(
                f"{name} is empty (0 bytes).", hint="Export the model again, or fetch the file again.", info={"size": 0}
            )
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:  # a NUL in the name
        raise UnreadableModelError(f"{name} is not a valid path: {error}.", hint="Check the path.") from error
    return Place(path=path, folder=False, size=found.st_size, head=head, link=link)


def unreadable(path: Path, error: OSError) -> UnreadableModelError:
    """The error for an OSError about a path."""
    name = shown(path)
    if error.errno == errno.ENOENT:
        if path.is_symlink():
            return UnreadableModelError(
                f"{name} is a symbolic link to {path.readlink()}, which does not exist.",
                hint="Correct or replace the link.",
            )
        return UnreadableModelError(
            f"{name} does not exist.", hint="Check the path; it is relative to the current folder."
        )
    if error.errno == errno.ELOOP:
        return UnreadableModelError(f"{name} is a symbolic link in a loop.", hint="Replace the link.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return UnreadableModelError(
            f"You have no permission to read {name}.", hint=f"Check its permissions: ls -l {name}"
        )
    return UnreadableModelError(f"{name} cannot be read: {error.strerror}.", hint="Check the path and the disk.")


def shown(path: Path) -> str:
    """A path for a message, with unprintable bytes escaped."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return text if text.isprintable() and text.strip() else repr(text)
