"""From Prepared to Lock: a model's recorded versions become one hash-locked set of packages, as of their own time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.prepared import Prepared
from mlpack.artifacts.progress import OnProgress, Progress
from mlpack.errors import IndexUnreachableError, ResolveError, UsageError
from mlpack.packages.cache import cache_key, folder_listing, keep_lock, load_lock
from mlpack.packages.distributions import Distribution
from mlpack.packages.era import WINDOW
from mlpack.packages.index import local_path, query_all
from mlpack.packages.installer import UV_VERSION
from mlpack.packages.local import local_wheels
from mlpack.packages.names import strip_login
from mlpack.packages.pythons import usable_pythons, why_python
from mlpack.packages.settings import PackageSettings
from mlpack.packages.solve import Solution, solve
from mlpack.packages.variants import refuse_cuda, with_variant
from mlpack.packages.wanted import Wanted, wanted
from mlpack.packages.wheels import PLATFORMS


@dataclass(frozen=True, kw_only=True)
class ResolveOptions:
    """What the user says of the lock: `python` ("3.11"), `platform` ("linux/amd64"), `requirements` added to the file's.

    `base` replaces `python:X-slim`; `wheelhouse` is the only source of packages when given; `framework`
    ("scikit-learn==1.0.2") replaces the recorded version; `apt` are Debian packages for the image. `pythons` are the only
    ones that there are, best first, where the model runs without an image; () where every image is to be had. With `gpu`
    the packages are those for CUDA; else nothing of CUDA is installed. `distributions` are those that the formats know more
    of than the index tells.
    """

    platform: str = "linux/amd64"
    python: str | None = None
    requirements: tuple[str, ...] = ()
    base: str | None = None
    wheelhouse: Path | None = None
    framework: str | None = None
    apt: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    gpu: bool = False
    distributions: tuple[Distribution, ...] = ()


def resolve(
    prepared: Prepared,
    *,
    options: ResolveOptions,
    settings: PackageSettings,
    runtime_requirements: str,
    base_digest: Callable[[str, str], str | None],
    cache_dir: Path,
    on_progress: OnProgress | None = None,
    refresh: bool = False,
) -> Lock:
    """The model with everything it needs pinned for the target; from `cache_dir` when the same was asked before.

    `runtime_requirements` is the server's own requirements file; `base_digest(base, platform)` asks the registry. Raises
    ResolveError, PythonTooOldError, IndexUnreachableError, MissingVersionError, ConfigError, UsageError.
    """
    if options.platform not in PLATFORMS:
        raise UsageError(f"no images are made for {options.platform}", hint=f"One of {', '.join(PLATFORMS)}.")
    if options.wheelhouse is not None:
        settings = settings.only(options.wheelhouse)
    info = prepared.info
    if prepared.python is not None:
        options = replace(options, python=options.python or prepared.python)
    wants = wanted(info, extras=options.requirements, framework=options.framework)
    key = _key(info, wants, options, settings, runtime_requirements)
    lock = None if refresh else load_lock(cache_dir, key, prepared)
    if lock is None:
        lock = _resolve(
            prepared, wants, options, settings, runtime_requirements, base_digest, cache_dir, on_progress or _silent
        )
        keep_lock(cache_dir, key, lock)
    if prepared.python is None:
        return lock
    why = f"Python {prepared.python}, which compiled the code that {info.path.name} holds."
    return replace(lock, reasons=(why, *lock.reasons[1:]))


def first_lock(choices: Iterable[tuple[str, ...]], lock: Callable[[tuple[str, ...]], Lock]) -> Lock:
    """The lock for the first set of Pythons that has one. Raises the last set's ResolveError, IndexUnreachableError at once."""
    error = ResolveError("this machine has no Python for the model", hint="Install one, or use a container engine.")
    for pythons in choices:
        try:
            return lock(pythons)
        except IndexUnreachableError:  # noqa: PERF203 - two rounds at most
            raise
        except ResolveError as failed:
            error = failed
    raise error


def _resolve(
    prepared: Prepared,
    wants: Wanted,
    options: ResolveOptions,
    settings: PackageSettings,
    runtime_requirements: str,
    base_digest: Callable[[str, str], str | None],
    cache_dir: Path,
    on_progress: OnProgress,
) -> Lock:
    """The lock, asked of the index and the registry."""
    on_progress(Progress(step="index", title=f"asking the package index for {', '.join(wants.pins) or 'packages'}"))
    variant = with_variant(
        wants, gpu=options.gpu, platform=options.platform, settings=settings, known=options.distributions
    )
    wants, settings = variant.wants, variant.settings
    files = query_all(wants.pins, settings)
    pythons = _there(usable_pythons(wants.pins, files, options.platform, options.python), wants, options)
    on_progress(Progress(step="lock", title=f"locking packages for Python {pythons[0]} on {options.platform}"))
    solution = solve(
        wants,
        files,
        pythons=pythons,
        platform=options.platform,
        settings=settings,
        runtime=_lines(runtime_requirements),
        now=datetime.now(timezone.utc),
    )
    if not options.gpu:
        refuse_cuda(solution.packages)
    python = solution.target.python
    base = options.base or f"python:{python}-slim"
    if options.pythons:
        digest, why, unpinned = None, f"Python {python}, which this machine has.", ""
    else:
        on_progress(Progress(step="base", title=f"asking for the digest of {base}"))
        digest = base_digest(base, options.platform)
        why = why_python(python, wants.pins, usable=pythons, chosen_by_user=options.python is not None)
        unpinned = "" if digest else f"The digest of {base} could not be had, so the base image is not pinned."
    return Lock(
        prepared=prepared,
        python=python,
        platform=options.platform,
        base=base,
        base_digest=digest,
        requirements="".join(package.to_requirement() for package in solution.packages),
        installer="".join(package.to_requirement() for package in solution.installer),
        reasons=tuple(filter(None, (why, *variant.reasons, *solution.reasons, unpinned))),
        cutoff=solution.cutoff,
        local_wheels=local_wheels((*solution.packages, *solution.installer), settings, cache_dir),
        apt=_apt(prepared.info, options, solution),
        pages=tuple(place for place in settings.find_links if place in {one.cpu_page for one in options.distributions}),
        gpu=options.gpu,
        test_folders=tuple(sorted({name for one in options.distributions for name in one.test_folders})),
    )


def _there(usable: tuple[str, ...], wants: Wanted, options: ResolveOptions) -> tuple[str, ...]:
    """The usable Pythons of those that there are, in their order."""
    if not options.pythons:
        return usable
    found = tuple(python for python in options.pythons if python in usable)
    if not found:
        which = " and ".join(f"{name} {version}" for name, version in wants.pins.items()) or "the model"
        raise ResolveError(
            f"{which} runs on Python {', '.join(usable)}; this machine has {', '.join(options.pythons)}",
            hint=f"Install one of them (`uv python install {usable[0]}`), or use a container engine.",
        )
    return found


def _key(
    info: ModelInfo, wants: Wanted, options: ResolveOptions, settings: PackageSettings, runtime_requirements: str
) -> str:
    """Everything that decides the lock; a login does not, so a new password asks nothing anew."""
    places = [strip_login(place) for place in (*settings.indexes, *settings.find_links)]
    folders = [folder_listing(str(local_path(place))) for place in settings.find_links if local_path(place)]
    return cache_key(
        {
            "lines": wants.lines,
            "extras": wants.extras,
            "constraints": wants.constraints,
            "numpy_major": wants.numpy_major,
            "excludes": wants.excludes,
            "newest": wants.newest,
            "model_apt": info.apt,
            "options": replace(options, wheelhouse=None, requirements=(), framework=None),
            "runtime": _lines(runtime_requirements),
            "window_days": WINDOW.days,
            "installer": UV_VERSION,
            "places": places,
            "folders": folders,
        }
    )


def _apt(info: ModelInfo, options: ResolveOptions, solution: Solution) -> tuple[str, ...]:
    """The Debian packages of the user, of the model's format, and those that a locked package is known to need."""
    installed = {package.name for package in solution.packages}
    needed = (library for one in options.distributions if one.name in installed for library in one.system_libraries)
    return tuple(sorted({*info.apt, *options.apt, *needed}))


def _lines(requirements: str) -> list[str]:
    """A requirements file's lines that say something."""
    lines = (line.partition(" #")[0].strip() for line in requirements.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _silent(_progress: Progress) -> None:
    """Nobody listens."""
