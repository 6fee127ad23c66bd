"""Whether this machine has what mlpack needs: one function for each thing."""

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
    from mlpack.engines.base import Engine
    from mlpack.packages.settings import PackageSettings

_OFF_S = 120  # seconds; tokens are refused from some minutes on
_DISK = 5_000_000_000  # an image of a large framework, its layers and its wheels


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at: `seen` says what is there, `remedy` what to do when it is not enough."""

    name: str
    state: Literal["ok", "warn", "fail"]
    seen: str
    remedy: str = ""


def diagnose(
    *, engine: Callable[[], Engine], settings: Callable[[], PackageSettings], cache: Path
) -> Iterator[Finding]:
    """Every finding, the cheapest first; nothing is changed."""
    yield _python()
    yield _namesake()
    yield _disk("disk (cache)", cache)
    yield _disk("disk (here)", Path.cwd())
    yield from _engine(engine)
    yield from _index(settings())


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(name="python", state="ok", seen=f"{version} at {sys.executable}")


def _namesake() -> Finding:
    """`mlpack` on PyPI is another project, with the same import name."""
    try:
        other = metadata.version("mlpack")
    except metadata.PackageNotFoundError:
        return Finding(name="namesake", state="ok", seen="only mlpack-cli is installed")
    return Finding(
        name="namesake",
        state="warn",
        seen=f"PyPI's other `mlpack` {other} is installed too",
        remedy="It has the same import name. `pip uninstall mlpack`, then `pip install --force-reinstall mlpack-cli`.",
    )


def _disk(name: str, place: Path) -> Finding:
    there = next(path for path in (place, *place.parents) if path.exists())
    return room(name, there, free=shutil.disk_usage(there).free, writable=os.access(there, os.W_OK))


def room(name: str, place: Path, *, free: int, writable: bool) -> Finding:
    """Whether a place has the room that an image takes; `free` in bytes."""
    seen = f"{human_size(free)} free at {place}" + ("" if writable else ", not writable")
    remedy = "Free some space (`mlpack clean`), or set MLPACK_CACHE to a larger disk."
    if not writable:
        remedy = "Work in a folder of your own, or set MLPACK_CACHE."
    return Finding(name=name, state="ok" if writable and free > _DISK else "warn", seen=seen, remedy=remedy)


def _engine(engine: Callable[[], Engine]) -> Iterator[Finding]:
    try:
        facts = engine().facts()
    except MlpackError as error:
        remedy = f"{error.hint} `mlpack render` writes the folder for a machine that has one."
        yield Finding(name="engine", state="fail", seen=error.message, remedy=remedy)
        return
    yield Finding(
        name="engine",
        state="ok",
        seen=f"{facts.name} {facts.version}, {facts.platform}, at {facts.details.get('url', '')}",
    )
    yield Finding(
        name="buildkit",
        state="ok" if facts.buildkit else "warn",
        seen="there" if facts.buildkit else "not there: the classic builder is used",
        remedy="Builds are slower and share no package cache. Docker 18.09 and newer have it.",
    )
    root = Path(str(facts.details.get("root_dir") or "/nonexistent"))
    if root.is_dir():
        yield _disk("disk (engine)", root)


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
        seen = f"{strip_login(index)} answers in {took}" + ("" if files else ", but has no pip")
        yield Finding(name="index", state="ok", seen=seen)
    yield from _clock(next((index for index in reversed(settings.indexes) if index.startswith("http")), ""), settings)


def _clock(index: str, settings: PackageSettings) -> Iterator[Finding]:
    """This machine's clock beside the index's, asked with the user's own login, proxy and certificates."""
    from mlpack.packages.index.http import fetch

    if not index:
        return
    date = None
    with contextlib.suppress(MlpackError):  # told already, as the index's own finding
        answer = fetch(f"{index}/pip/", settings)
        if answer is not None:
            with answer:
                date = answer.headers.get("Date")
    if date:
        yield clock(time.time() - parsedate_to_datetime(date).timestamp())


def clock(off_s: float) -> Finding:
    """A clock that is off breaks TLS and tokens in ways that name neither."""
    return Finding(
        name="clock",
        state="ok" if abs(off_s) < _OFF_S else "warn",
        seen=f"{off_s:+.0f} s from the index's",
        remedy="Set the clock (`timedatectl set-ntp true`): certificates and tokens depend on it.",
    )
