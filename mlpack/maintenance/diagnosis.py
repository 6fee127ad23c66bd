"""Checks of this machine for `mlpack doctor`: Python, disk, engine, package index, clock."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlpack.errors import MlpackError
from mlpack.shown import human_size

if TYPE_CHECKING:
    from mlpack.engines.base import Engine, LocalRunner
    from mlpack.packages.settings import PackageSettings

_MAX_OFFSET_S = 120  # servers reject tokens if the clocks differ by some minutes
_DISK = 5_000_000_000  # bytes: an image of a large framework, its layers and its wheels


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check: `seen` is what was found, `remedy` what to do about a problem."""

    name: str
    state: Literal["ok", "warn", "fail"]
    seen: str
    remedy: str = ""


def diagnose(
    *,
    engine: Callable[[], Engine],
    local: LocalRunner | None = None,
    settings: Callable[[], PackageSettings],
    cache: Path,
) -> Iterator[Finding]:
    """Run all checks, the fastest first; they change nothing. `local` replaces the engine."""
    yield _python()
    yield _namesake()
    yield _disk("disk (cache)", cache)
    yield _disk("disk (here)", Path.cwd())
    yield from _engine(engine) if local is None else _local_runner(local)
    yield from _index(settings())


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(name="python", state="ok", seen=f"{version} at {sys.executable}")


def _namesake() -> Finding:
    """Check that PyPI's `mlpack`, another project with the same import name, is not installed."""
    try:
        other = metadata.version("mlpack")
    except metadata.PackageNotFoundError:
        return Finding(name="namesake", state="ok", seen="only mlpack-cli is installed")
    return Finding(
        name="namesake",
        state="warn",
        seen=f"another project, `mlpack` {other} of PyPI, is installed too",
        remedy="It has the same import name. `pip uninstall mlpack`, then `pip install --force-reinstall mlpack-cli`.",
    )


def _disk(name: str, place: Path) -> Finding:
    existing = next(path for path in (place, *place.parents) if path.exists())
    return disk_finding(name, existing, free=shutil.disk_usage(existing).free, writable=os.access(existing, os.W_OK))


def disk_finding(name: str, place: Path, *, free: int, writable: bool) -> Finding:
    """Whether a folder is writable and its disk has enough space for an image; `free` in bytes."""
    seen = f"{human_size(free)} free at {place}" + ("" if writable else ", not writable")
    remedy = "Free some space (`mlpack clean`), or set MLPACK_CACHE to a larger disk."
    if not writable:
        remedy = "Work in a folder in which you may write, or set MLPACK_CACHE."
    return Finding(name=name, state="ok" if writable and free > _DISK else "warn", seen=seen, remedy=remedy)


def _engine(engine: Callable[[], Engine]) -> Iterator[Finding]:
    try:
        facts = engine().facts()
    except MlpackError as error:
        remedy = f"{error.hint} Without an engine, `mlpack render` writes the folder for a build on another machine."
        yield Finding(name="engine", state="fail", seen=error.message, remedy=remedy)
        return
    yield Finding(
        name="engine",
        state="ok",
        seen=f"{facts.name} {facts.version}, {facts.platform}"
        + (f", at {url}" if (url := facts.details.get("url")) else ""),
    )
    buildkit = facts.details.get("buildkit")
    if buildkit is not None:
        yield Finding(
            name="buildkit",
            state="ok" if buildkit else "warn",
            seen="available" if buildkit else "not available: the classic builder is used",
            remedy="Builds are slower and share no package cache. Docker 18.09 and newer have BuildKit.",
        )
    root = Path(str(facts.details.get("root_dir") or "/nonexistent"))
    if root.is_dir():
        yield _disk("disk (engine)", root)


def _local_runner(runner: LocalRunner) -> Iterator[Finding]:
    pythons = dict.fromkeys(python for choice in runner.pythons(None) for python in choice)
    yield Finding(
        name="engine",
        state="ok" if pythons else "fail",
        seen=f"local processes of user {runner.user}, without images; Python {', '.join(pythons) or 'none'}",
        remedy="Install a Python that this user can run.",
    )


def _index(settings: PackageSettings) -> Iterator[Finding]:
    from mlpack.packages.index import page
    from mlpack.packages.names import strip_login

    for index in settings.indexes:
        began = time.monotonic()
        try:
            files = page(index, "pip", settings)
        except MlpackError as error:
            yield Finding(name="index", state="fail", seen=error.message, remedy=error.hint)
            continue
        took = f"{time.monotonic() - began:.1f} s"
        seen = f"{strip_login(index)} answers in {took}" + ("" if files else ", but does not contain pip")
        yield Finding(name="index", state="ok", seen=seen)
    yield from _clock(next((index for index in reversed(settings.indexes) if index.startswith("http")), ""), settings)


def _clock(index: str, settings: PackageSettings) -> Iterator[Finding]:
    """Compare this machine's clock with the index's, in a request with the user's login, proxy and certificates."""
    from mlpack.packages.index.http import fetch

    if not index:
        return
    date = None
    with contextlib.suppress(MlpackError):  # already reported by the check of the index
        answer = fetch(f"{index}/pip/", settings)
        if answer is not None:
            with answer:
                date = answer.headers.get("Date")
    if date:
        yield clock_finding(time.time() - parsedate_to_datetime(date).timestamp())


def clock_finding(offset_s: float) -> Finding:
    """Whether the clock is right: a wrong clock makes TLS and logins fail with messages that do not mention it."""
    return Finding(
        name="clock",
        state="ok" if abs(offset_s) < _MAX_OFFSET_S else "warn",
        seen=f"{offset_s:+.0f} s relative to the package index",
        remedy="Set the clock (`timedatectl set-ntp true`): certificates and tokens depend on it.",
    )
