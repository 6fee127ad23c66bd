"""Locked wheels that a build cannot download: on this machine's disk, or on an index that only this machine reaches."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mlpack.artifacts.lock import LocalWheel, Lock
from mlpack.errors import ResolveError
from mlpack.packages.compiler import LockedPackage, LockedWheel
from mlpack.packages.index import is_loopback, local_path, page, query_all
from mlpack.packages.index.http import download
from mlpack.packages.names import normalise
from mlpack.packages.parallel import run_parallel
from mlpack.packages.settings import PackageSettings
from mlpack.packages.wheels import parse_wheel

_AGAIN = "Resolve again with --refresh."


def local_wheels(
    packages: Iterable[LockedPackage], settings: PackageSettings, cache_dir: Path
) -> tuple[LocalWheel, ...]:
    """The wheels that the build gets as files, sorted by file name.

    A wheel that a remote index has too (by its hash) is left out. Wheels from an index on this machine are downloaded to
    `cache_dir`. Raises IndexUnreachableError, ResolveError for a file with a wrong hash.
    """
    here = [
        (package, wheel)
        for package in packages
        for wheel in package.wheels
        if local_path(wheel.url) is not None or is_loopback(wheel.url)
    ]
    names = sorted({package.name for package, _ in here})
    elsewhere = set().union(*run_parallel(lambda name: _elsewhere(name, settings), names))
    kept = {wheel.filename: wheel for _, wheel in here if wheel.sha256 not in elsewhere}
    return tuple(fetched(kept[filename], settings, cache_dir) for filename in sorted(kept))


def carried(lock: Lock, settings: PackageSettings, cache_dir: Path) -> Lock:
    """The lock with all its wheels as local files, so that its build needs no index and no login.

    For a builder that stores copied files in its cache, logins included. Raises IndexUnreachableError, ResolveError when a
    wheel is no longer on an index.
    """
    wanted = locked_hashes(lock)
    here = {wheel.filename: wheel for wheel in lock.local_wheels}
    missing = sorted(wanted.keys() - {wheel.name for name in here if (wheel := parse_wheel(name))})
    for name, files in query_all(missing, settings).items():
        found = [file for file in files if file.sha256 in wanted[name]]
        if not found:
            raise ResolveError(f"the locked wheel of {name} is no longer on a package index", hint=_AGAIN)
        for file in found:
            locked = LockedWheel(filename=file.filename, url=file.url, sha256=str(file.sha256))
            here.setdefault(file.filename, fetched(locked, settings, cache_dir))
    return replace(lock, local_wheels=tuple(here[filename] for filename in sorted(here)))


def locked_hashes(lock: Lock) -> dict[str, set[str]]:
    """The sha256 hashes of each locked package's wheels, by package name."""
    found: dict[str, set[str]] = {}
    for line in (lock.requirements + lock.installer).splitlines():
        if "==" in line:
            name = normalise(line.partition("==")[0])
            found.setdefault(name, set())
        elif "--hash=sha256:" in line:
            found[name].add(line.partition("--hash=sha256:")[2].rstrip(" \\"))
    return found


def _elsewhere(name: str, settings: PackageSettings) -> set[str]:
    """The hashes of a distribution's files on remote indexes."""
    remote = [index for index in settings.indexes if not index.startswith("file:") and not is_loopback(index)]
    return {
        file.sha256
        for index in remote
        for file in page(index, name, settings)
        if file.sha256 and not is_loopback(file.url)
    }


def fetched(wheel: LockedWheel, settings: PackageSettings, cache_dir: Path) -> LocalWheel:
    """The wheel or source package as a local file; one of an index is downloaded to `cache_dir`."""
    path = local_path(wheel.url)
    if path is None:
        path = cache_dir / "wheels" / wheel.sha256 / wheel.filename
        if not path.is_file():
            _fetch(wheel, settings, path)
    return LocalWheel(filename=wheel.filename, path=path, sha256=wheel.sha256)


def _fetch(wheel: LockedWheel, settings: PackageSettings, path: Path) -> None:
    """Download the file, check its hash, and move it to `path` atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".wheel-")
    digest = hashlib.sha256()
    try:
        with os.fdopen(handle, "wb") as file:

            def write(block: bytes) -> None:
                digest.update(block)
                file.write(block)

            download(wheel.url, settings, write)
        _check(wheel, digest.hexdigest())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _check(wheel: LockedWheel, digest: str) -> None:
    if digest != wheel.sha256:
        message = f"{wheel.filename} does not have the hash that its index lists"
        raise ResolveError(message, hint="Report it to the owner of the index.")
