"""A cache of virtual environments with locked packages on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from mlpack.artifacts.lock import Lock
from mlpack.errors import DiskFullError, ResolveError
from mlpack.packages.failures import failure
from mlpack.packages.interpreters import Interpreter
from mlpack.packages.sdists.here import built_wheels
from mlpack.packages.settings import PackageSettings
from mlpack.packages.settings.variables import uv_variables
from mlpack.packages.target import Target
from mlpack.packages.uvbin import uv_binary, without_uv
from mlpack.shell import run

SCHEMA = 1  # increased when environments are made differently
TIMEOUT_S = 1800
_STALE_S = 3600  # an unfinished environment that is older was abandoned
_NEW = ".new-"


def find_venv(lock: Lock, interpreter: Interpreter, folder: Path) -> Path | None:
    """The Python of the cached environment with exactly these packages; None when there is none."""
    python = folder / _key(lock, interpreter) / "bin" / "python"
    return python if python.exists() else None


def make_venv(
    lock: Lock,
    interpreter: Interpreter,
    *,
    settings: PackageSettings,
    folder: Path,
    account: tuple[int, int] | None = None,
) -> Path:
    """The Python of an environment with exactly the locked packages, checked against their hashes; cached.

    `folder` is the cache. Waits for another process that makes the same environment; an unfinished one is never used.
    `account` is the user (UID and GID) who may read it if that is not this process's own; it builds the source packages, if
    there are any. Raises ResolveError, IndexUnreachableError, DiskFullError.
    """
    kept = find_venv(lock, interpreter, folder)
    if kept is not None:
        return kept
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / _key(lock, interpreter)
    with _alone(place):
        if find_venv(lock, interpreter, folder) is None:
            _sweep(folder)
            with tempfile.TemporaryDirectory(prefix=_NEW, dir=folder, ignore_cleanup_errors=True) as name:
                venv = Path(name) / "venv"
                _install(lock, interpreter, venv, settings)
                if lock.sdists:
                    with built_wheels(lock.sdists, interpreter.path, account) as wheels:
                        _uv(_installing(venv, ["--no-index", *map(str, wheels)]), lock, settings)
                if account is not None:
                    _share(venv)
                shutil.rmtree(place, ignore_errors=True)  # its Python no longer exists
                venv.rename(place)
    return place / "bin" / "python"


def _key(lock: Lock, interpreter: Interpreter) -> str:
    """The cache key: a hash of the locked requirements and the Python."""
    decides = [
        SCHEMA,
        lock.requirements,
        *([lock.sdists_text] if lock.sdists else []),
        str(interpreter.path),
        interpreter.version,
    ]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Hold a file lock; the system releases it when the process ends."""
    import fcntl  # missing on Windows, where this module must be importable

    with place.with_suffix(".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sweep(folder: Path) -> None:
    """Remove unfinished environments of killed processes."""
    for left in folder.glob(_NEW + "*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _STALE_S:
                shutil.rmtree(left, ignore_errors=True)


def _install(lock: Lock, interpreter: Interpreter, venv: Path, settings: PackageSettings) -> None:
    """Create the environment and install the packages."""
    requirements = venv.with_name("requirements.lock")
    requirements.write_text(lock.requirements, encoding="utf-8", newline="\n")
    _uv(["venv", "--relocatable", "--python", str(interpreter.path), str(venv)], lock, settings)
    offline = ["--no-index"] if settings.no_index else []
    _uv(_installing(venv, ["--require-hashes", "-r", str(requirements), *offline]), lock, settings)


def _installing(venv: Path, words: list[str]) -> list[str]:
    python = str(venv / "bin" / "python")
    return ["pip", "install", "--python", python, "--no-deps", "--only-binary", ":all:", "--compile-bytecode", *words]


def _uv(words: list[str], lock: Lock, settings: PackageSettings) -> None:
    argv = [uv_binary(), *words, "--no-config", "--no-progress", "--color", "never", "--no-python-downloads"]
    try:
        done = run(argv, env={**without_uv(), **uv_variables(settings)}, timeout_s=TIMEOUT_S)
    except FileNotFoundError:
        raise ResolveError(
            "uv, which installs packages, is not installed", hint="Run `pip install uv`, then try again."
        ) from None
    except subprocess.TimeoutExpired:
        raise ResolveError(f"uv did not finish in {TIMEOUT_S} s", hint="Try again; uv caches its downloads.") from None
    if done.code == 0:
        return
    if re.search(r"No space left|os error 28|Disk quota", done.stderr):
        raise DiskFullError(
            "the disk is full: the packages could not be installed", hint="Free some space, or set MLPACK_CACHE."
        )
    raise failure(done.stderr, Target(python=lock.python, platform=lock.platform))


def _share(venv: Path) -> None:
    """Make it readable for all users, whatever the umask and uv's cache."""
    for path in (venv, *venv.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o777
            path.chmod(mode | (0o055 if path.is_dir() or mode & 0o100 else 0o044))
