"""The process engine: a LocalRunner, which installs a bundle's packages on this machine and runs its server as a process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import ClassVar, Literal

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.lock import Lock
from mlpack.artifacts.progress import OnProgress, Progress
from mlpack.engines.base import Limits, Running
from mlpack.engines.process.account import Account, serving_account
from mlpack.engines.process.server import serve_bundle
from mlpack.errors import EngineError
from mlpack.packages.interpreters import Interpreter, interpreters, running_interpreter
from mlpack.packages.settings import PackageSettings
from mlpack.packages.venvs import find_venv, make_venv
from mlpack.readers.system_libraries import described, lacking_here, release_of

# Where environments are kept when root's own cache is closed to the account that serves.
SHARED_CACHE = Path("/var/cache/mlpack")


class ProcessRunner:
    """Serves a model without a container. `cache` is the user's cache folder."""

    is_local: ClassVar[Literal[True]] = True

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._account = serving_account(Limits().user)

    @property
    def user(self) -> int:
        """The number of the user who will run the model."""
        return self._account.uid

    def pythons(self, wanted: str | None) -> Iterator[tuple[str, ...]]:
        """The sets of Pythons to choose from, one after the other until a lock can be made for one.

        The first is this process's own Python, which is known at once; to look for others takes a moment.
        """
        own = running_interpreter()
        if self._account.reaches(own.path) and wanted in {None, own.python}:
            yield (own.python,)
        yield tuple(one.python for one in interpreters(self._account.reaches))

    @contextmanager
    def serve(
        self,
        bundle: Bundle,
        *,
        settings: PackageSettings,
        limits: Limits,
        host_port: int = 0,
        progress: Callable[[str], AbstractContextManager[OnProgress]],
    ) -> Iterator[Running]:
        """A running server of the bundle on 127.0.0.1, in an environment with its locked packages; ends with the `with`.

        Raises ResolveError, IndexUnreachableError, DiskFullError, EngineError.
        """
        interpreter = self._interpreter(bundle.lock.python)
        with progress("installing packages") as on_progress:
            python = self._environment(bundle.lock, interpreter, settings, on_progress)
        with serve_bundle(bundle, python, limits=limits, env={}, host_port=host_port) as running:
            yield running

    def _interpreter(self, python: str) -> Interpreter:
        own = running_interpreter()
        if own.python == python and self._account.reaches(own.path):
            return own
        return next(one for one in interpreters(self._account.reaches) if one.python == python)

    def _environment(
        self, lock: Lock, interpreter: Interpreter, settings: PackageSettings, on_progress: OnProgress
    ) -> Path:
        """The Python of the environment, made unless it is kept."""
        folder = venv_folder(self._cache, self._account)
        count = lock.requirements.count("==") + len(lock.sdists)
        title = f"install {count} packages for Python {interpreter.version} of this machine"
        began, cached = time.monotonic(), find_venv(lock, interpreter, folder) is not None
        on_progress(Progress(step="venv", title=title))
        account = (self._account.uid, self._account.gid) if self._account.dropped else None
        python = make_venv(lock, interpreter, settings=settings, folder=folder, account=account)
        on_progress(Progress(step="venv", title=title, seconds=time.monotonic() - began, cached=cached))
        report_lacking(python.parent.parent, on_progress)
        return python


def report_lacking(venv: Path, on_progress: OnProgress) -> None:
    """Report the shared libraries that the packages need and this machine lacks; an image would get them."""
    for site_packages in venv.glob("lib/python3*/site-packages"):
        lacking = lacking_here(site_packages)
        for found, remedy in (
            (lacking.known, f"on Debian: apt-get install {' '.join(lacking.packages(release_of()))}"),
            (lacking.unknown, "install what has it, if the model does not load"),
        ):
            if found:
                title = f"find system libraries: this machine lacks {described(found)}"
                on_progress(Progress(step=title, title=title, error=remedy))


def venv_folder(cache: Path, account: Account) -> Path:
    """The user's cache folder, or the system's when the account may not enter it and MLPACK_CACHE is not set."""
    shared = account.dropped and "MLPACK_CACHE" not in os.environ
    for place in (cache, *([SHARED_CACHE] if shared else [])):
        folder = place / "venvs"
        try:
            for step in (place, folder):
                if not step.is_dir():
                    step.mkdir(parents=True, exist_ok=True)
                    step.chmod(0o755 if account.dropped else 0o700)
        except OSError:
            continue
        if account.reaches(folder) and os.access(folder, os.W_OK):
            return folder
    raise EngineError(
        f"no folder for packages that user {account.uid}, who serves the model, may read: {cache}",
        hint="Set MLPACK_CACHE to a folder that is writable here and that others may enter.",
    )
