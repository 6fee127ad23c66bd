"""The process that started a container, so that a later command can remove the containers of a process that was killed.

An owner is a file in the user's cache folder, locked by its process; the system releases the lock however the process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import re
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from mlpack.artifacts import labels
from mlpack.engines.docker.client import Client
from mlpack.workspace import cache_dir

_OWNER = re.compile(r"[0-9a-f]{32}")
# Files of dead owners without containers are removed after this time: their containers may be on another engine.
_KEPT_S = 30 * 24 * 3600


def container_labels(name: str) -> dict[str, str]:
    """The labels of a container that this process starts under this name."""
    owner = _this_process(_folder())
    return {labels.RUN: name, **({labels.OWNER: owner} if owner else {})}


def remove_abandoned(client: Client) -> None:
    """Remove the containers whose owner, a process of this user on this machine, has ended. Errors are ignored.

    Containers of other users and other machines stay: their owners' files are not in this cache folder.
    """
    import requests
    from docker.errors import DockerException

    folder = _folder()
    with contextlib.suppress(DockerException, requests.RequestException, OSError):
        abandoned: dict[str, list[str]] = {}
        for entry in client.containers(all=True, filters={"label": labels.OWNER}):
            abandoned.setdefault(entry["Labels"][labels.OWNER], []).append(entry["Id"])
        for entry in client.networks(filters={"label": labels.OWNER}):
            abandoned.setdefault(entry["Labels"][labels.OWNER], [])
        for owner, containers in abandoned.items():
            with _ended(folder, owner) as ended:
                if ended:
                    for container in containers:
                        _remove(client, container)
                    for network in client.networks(filters={"label": f"{labels.OWNER}={owner}"}):
                        with contextlib.suppress(DockerException):
                            client.remove_network(network["Id"])
                    (folder / owner).unlink(missing_ok=True)
        for file in folder.iterdir():
            with _ended(folder, file.name) as ended:
                if ended and time.time() - file.stat().st_mtime > _KEPT_S:
                    file.unlink()


def _remove(client: Client, container: str) -> None:
    from docker.errors import APIError

    with contextlib.suppress(APIError):  # another command removes it at the same moment
        client.remove_container(container, v=True, force=True)


@functools.cache
def _this_process(folder: Path) -> str:
    """The name of this process as an owner; "" where files cannot be locked (Windows) or written."""
    try:
        import fcntl
    except ImportError:
        return ""
    owner = uuid.uuid4().hex
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / owner).open("xb")
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:
        return ""
    atexit.register(_resign, folder / owner, file)
    return owner


def _resign(path: Path, file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    file.close()


@contextlib.contextmanager
def _ended(folder: Path, owner: str) -> Iterator[bool]:
    """Whether the owner is known here and its process has ended; its file is locked during the `with`."""
    if not _OWNER.fullmatch(owner) or owner == _this_process(folder):
        yield False
        return
    import fcntl  # without it there are no owners

    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context((folder / owner).open("rb"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # unknown here, or its process is running
            yield False
        else:
            yield True


def _folder() -> Path:
    return cache_dir() / "owners"
