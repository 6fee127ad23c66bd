"""What a path is before anything is read of it: a file, a folder, or a sentence that says why it is neither."""

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
    """A path that can be read: `size` in bytes (of a folder 0), the first bytes, where a symbolic link leads."""

    path: Path
    folder: bool
    size: int = 0
    head: bytes = b""
    link: str = ""


def look(path: Path) -> Place:
    """The path as a readable file or folder; nothing but regular files is ever opened, so a pipe cannot block.

    Raises UnreadableModelError: missing, dangling or looping link, pipe, socket, device, no permission, empty.
    """
    name = shown(path)
    try:
        found = path.stat()
        link = str(path.readlink()) if path.is_symlink() else ""
        if stat.S_ISDIR(found.st_mode):
            os.scandir(path).close()  # tells now whether it may be listed
            return Place(path=path, folder=True, link=link)
        special = next((words for test, words in _SPECIAL if test(found.st_mode)), None)
        if special:
            raise UnreadableModelError(f"{name} is {special}, not a file.", hint="Copy what it gives into a file.")
        if found.st_size == 0:
            raise UnreadableModelError(
                f"{name} is empty (0 bytes).", hint="Export the model again, or fetch the file again.", info={"size": 0}
            )
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:  # a NUL in the name
        raise UnreadableModelError(f"{name} is no path: {error}.", hint="Check the path.") from error
    return Place(path=path, folder=False, size=found.st_size, head=head, link=link)


def unreadable(path: Path, error: OSError) -> UnreadableModelError:
    """The failure to say for what the operating system answered about a path."""
    name = shown(path)
    if error.errno == errno.ENOENT:
        if path.is_symlink():
            return UnreadableModelError(
                f"{name} is a symbolic link to {path.readlink()}, which does not exist.",
                hint="Mend or replace the link.",
            )
        return UnreadableModelError(f"{name} does not exist.", hint="Check the path; it is relative to where you are.")
    if error.errno == errno.ELOOP:
        return UnreadableModelError(f"{name} is a symbolic link that leads back to itself.", hint="Replace the link.")
    if error.errno in (errno.EACCES, errno.EPERM):
        return UnreadableModelError(
            f"{name} may not be read by you.", hint=f"Ask for the right to read it: ls -l {name}"
        )
    return UnreadableModelError(f"{name} cannot be read: {error.strerror}.", hint="Check the path and the disk.")


def shown(path: Path) -> str:
    """A path for a message: printable, whatever bytes the name is made of."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return text if text.isprintable() and text.strip() else repr(text)
