"""What `--engine process` does: the model served by a process of this machine, which is not the image."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack.cli.output.console import Console
from mlpack.cli.wiring import Context, cache_dir, make_context
from mlpack.errors import EngineError, IndexUnreachableError, ResolveError, UnsafeModelError, UsageError

if TYPE_CHECKING:
    from mlpack.artifacts.bundle import Bundle
    from mlpack.artifacts.lock import Lock
    from mlpack.engines.base import Limits, Running
    from mlpack.engines.process.account import Account
    from mlpack.packages.interpreters import Interpreter
    from mlpack.pipeline.prepare import Prepared

# Where environments are kept when root's own cache is closed to the account that serves.
SHARED_CACHE = Path("/var/cache/mlpack")
_KEYS = {"wheelhouse": "build.wheelhouse"}  # where an option's key in mlpack.yaml has another name
_NOT_THE_IMAGE = "not the image: this is a local process, which loads the model on this machine; it gives no receipt"


@dataclass(frozen=True, kw_only=True)
class Local:
    """A model made ready to be served here: `python` is that of the environment with its packages."""

    context: Context
    bundle: Bundle
    python: Path

    def start(self, limits: Limits, *, publish: int = 0) -> AbstractContextManager[Running]:
        """The running process; ended on leaving the `with`."""
        from mlpack.plugins import load

        engine = load("engines", "process")(self.python)
        return engine.run(self.bundle, limits=limits, env={}, publish=publish)  # type: ignore[no-any-return]  # by its name


def make_local(
    model: str | None,
    *,
    console: Console,
    config: Path | None,
    words: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
) -> Local:
    """The model, judged, its packages chosen and installed for this machine; `words` are the options that are the model's.

    Raises what the line raises.
    """
    from mlpack.engines.base import Limits
    from mlpack.engines.process.account import serving_account

    console.warn(_NOT_THE_IMAGE)
    of_file = {_KEYS.get(name, name): value for name, value in words.items() if name not in {"include", "trust"}}
    context = make_context(
        None if model is None else Path(model),
        console=console,
        config=config,
        overrides={**of_file, **(overrides or {})},
        include=words["include"],
    )
    account = serving_account(Limits().user)
    prepared = _prepare_here(context, trust=words["trust"])
    if prepared.info.safety.verdict != "safe":
        console.warn(f"--trust: code that mlpack does not know runs on this machine, as user {account.uid}")
    lock, interpreter = _lock_here(context, prepared, account)
    if lock.apt:
        console.note(f"the image installs {', '.join(lock.apt)}; here this machine's own are used")
    bundle = context.bundle(lock, prepared, secrets=False)
    return Local(context=context, bundle=bundle, python=_environment(context, lock, interpreter, account))


def only_with_process(engine: str, words: Mapping[str, Any]) -> None:
    """Raises UsageError when the model's options are given with an image, which is what it was built as."""
    given = [name for name, value in words.items() if value]
    if engine != "process" and given:
        raise UsageError(
            f"--{given[0]} is for --engine process; an image is what it was built as",
            hint="Give it to `mlpack build`, or add --engine process and name the model instead of an image.",
        )


def _prepare_here(context: Context, *, trust: bool) -> Prepared:
    """The gate of a build, and the reason why it is one here: the model is loaded outside any container.

    Code that --include brings is named by the user, but what the file does with it is not: --trust is asked for here.
    """
    from mlpack.pipeline.gate import refuse_unsafe

    try:
        prepared = context.prepare(trust=trust)
        refuse_unsafe(prepared.info, tuple(one.callable for one in prepared.info.safety.findings), trust=trust)
    except UnsafeModelError as error:
        error.message += "; --engine process would load it on this machine, outside any container"
        if "is dangerous" not in error.message:
            error.hint = (
                "If you know the file's author, --trust loads it all the same; without --engine process it is loaded in a "
                "container. `mlpack inspect` tells each reason."
            )
        raise
    return prepared


def _lock_here(context: Context, prepared: Prepared, account: Account) -> tuple[Lock, Interpreter]:
    """The lock for the Python that runs this, where model and account can have it; else for the best that is here."""
    from mlpack.packages.interpreters import interpreters, running_interpreter

    own, wanted = running_interpreter(), context.config.python or prepared.python
    if account.reaches(own.path) and wanted in {None, own.python}:
        try:
            return context.lock(prepared, here=(own.python,)), own
        except IndexUnreachableError:
            raise
        except ResolveError:
            pass  # another of this machine's may have a set; to find them takes a moment
    there = {one.python: one for one in interpreters(account.reaches)}
    lock = context.lock(prepared, here=tuple(there))
    return lock, there[lock.python]


def _environment(context: Context, lock: Lock, interpreter: Interpreter, account: Account) -> Path:
    """The environment's Python, told as a step of the work."""
    from mlpack.artifacts.progress import Progress
    from mlpack.packages.venvs import find_venv, make_venv

    folder = _kept_in(account)
    count = lock.requirements.count("==")
    title = f"install {count} packages for Python {interpreter.version} of this machine"
    with context.console.progress("installing packages") as on_progress:
        began, cached = time.monotonic(), find_venv(lock, interpreter, folder) is not None
        on_progress(Progress(step="venv", title=title))
        python = make_venv(
            lock, interpreter, settings=context.package_settings(), folder=folder, shared=account.dropped
        )
        on_progress(Progress(step="venv", title=title, seconds=time.monotonic() - began, cached=cached))
    return python


def _kept_in(account: Account) -> Path:
    """The user's cache folder; root's own is mostly closed to others, then the system's. MLPACK_CACHE is a word on it."""
    shared = account.dropped and "MLPACK_CACHE" not in os.environ
    for place in (cache_dir(), *([SHARED_CACHE] if shared else [])):
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
        f"no folder for packages that user {account.uid}, who serves the model, may read: {cache_dir()}",
        hint="Set MLPACK_CACHE to a folder that can be written here and entered by others.",
    )
