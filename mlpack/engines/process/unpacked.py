"""A bundle as a private folder that one process serves from, gone afterwards."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlpack.artifacts.bundle import Bundle
from mlpack.engines.process.account import Account
from mlpack.errors import DiskFullError, EngineError
from mlpack.readers.bundle_files import content_of

PREFIX = "mlpack-process-"
_HELD = "held"  # locked for as long as the folder is in use; the lock ends with its process, however that ends


@contextlib.contextmanager
def unpacked(bundle: Bundle, account: Account) -> Iterator[Path]:
    """A folder with `app/` (the bundle, which the account reads only) and `tmp/` (its own); no other user has access.

    What builds alone need is left out. Folders of runs that were killed are removed first. Raises EngineError,
    DiskFullError, UnreadableModelError.
    """
    place = _place(account)
    _sweep(place)
    with _held_folder(place) as folder:
        try:
            _fill(folder, bundle, account)
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise EngineError(f"the model could not be unpacked in {place}: {error.strerror}") from error
            raise DiskFullError(
                f"the disk of {place} is full: the model could not be unpacked there",
                hint="Free some space, or set TMPDIR to a folder on a larger disk.",
            ) from error
        yield folder


def _place(account: Account) -> Path:
    """The folder for temporary files; a root's private one is closed to the account, so the common ones are tried too."""
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]  # noqa: S108  # what is made there is private
    for place in places:
        if account.reaches(place) and os.access(place, os.W_OK):
            return place
    raise EngineError(
        f"user {account.uid}, which serves the model, has no access to {places[0]}",
        hint="Set TMPDIR to a folder that other users can enter (`chmod o+x` on it and its parent folders).",
    )


def _sweep(place: Path) -> None:
    """Remove folders of this user's runs that were killed: those that no process has locked."""
    import fcntl  # not on Windows, where this module must be importable

    for folder in place.glob(PREFIX + "*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            with (folder / _HELD).open("rb") as held:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)


@contextlib.contextmanager
def _held_folder(place: Path) -> Iterator[Path]:
    """A new folder with its lock; removed even when Ctrl-C is pressed once more."""
    import fcntl  # not on Windows, where this module must be importable

    folder = Path(tempfile.mkdtemp(prefix="mlpack-", dir=place))
    try:
        with (folder / _HELD).open("xb") as held:
            (folder / _HELD).chmod(0o600)
            fcntl.flock(held, fcntl.LOCK_EX)
            # only now may a sweep see it
            folder = folder.rename(folder.with_name(PREFIX + folder.name.removeprefix("mlpack-")))
            yield folder
    finally:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        except KeyboardInterrupt:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def _fill(folder: Path, bundle: Bundle, account: Account) -> None:
    app, tmp = folder / "app", folder / "tmp"
    app.mkdir()
    for file in bundle.files:
        target = app / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            for chunk in content_of(file, doing="unpacked"):
                out.write(chunk)
    tmp.mkdir()
    for path in (folder, app, *app.rglob("*")):
        _readable(path, account)
    if account.dropped:
        os.chown(tmp, account.uid, account.gid)
    tmp.chmod(0o700)


def _readable(path: Path, account: Account) -> None:
    """To be read by its owner and the account, and written by the owner alone."""
    if account.dropped:
        os.chown(path, -1, account.gid)
    path.chmod(0o750 if path.is_dir() else 0o640)
