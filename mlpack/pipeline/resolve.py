"""From Prepared to Lock: a hash-locked set of packages for the versions that a model records, as of their release date."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.prepared import Prepared
from mlpack.artifacts.progress import OnProgress, Progress
from mlpack.config import Config
from mlpack.errors import ConfigError, IndexUnreachableError, ResolveError, UsageError
from mlpack.packages.cache import cache_key, folder_listing, keep_lock, load_lock
from mlpack.packages.distributions import Distribution
from mlpack.packages.era import WINDOW
from mlpack.packages.failures import NoSetError
from mlpack.packages.index import local_path, query_all
from mlpack.packages.installer import UV_VERSION
from mlpack.packages.local import local_wheels
from mlpack.packages.names import normalise, parse_requirement, strip_login
from mlpack.packages.pythons import usable_pythons, why_python
from mlpack.packages.sdists.needed import SourceOnlyError, pinned_sources, source_only
from mlpack.packages.sdists.plan import source_builds
from mlpack.packages.sdists.stubs import Sources
from mlpack.packages.settings import PackageSettings
from mlpack.packages.solve import Solution, solve
from mlpack.packages.variants import Variant, with_variant
from mlpack.packages.variants.companions import with_fitting_builds
from mlpack.packages.variants.cuda import refuse_cuda
from mlpack.packages.wanted import Wanted, wanted
from mlpack.packages.wheels import PLATFORMS
from mlpack.pipeline.image_contents import debian_packages, gpu_code, symbols, unused_files
from mlpack.pipeline.tools import Options

_MOST_ROUNDS = 4  # a package that another one asks for, then its companions


@dataclass(frozen=True, kw_only=True)
class ResolveOptions:
    """The choices for a lock: `python` ("3.11"), `platform` ("linux/amd64"), `requirements` in addition to the file's.

    `base` replaces `python:X-slim`; `wheelhouse` is the only source of packages when given; `framework`
    ("scikit-learn==1.0.2") replaces the recorded version; `apt` are Debian packages for the image. `pythons` are the
    installed ones, best first, if the model runs without an image; () for an image, whose Python can be any. With `gpu`
    CUDA builds are installed, else nothing of CUDA. `sdists` may be built from source. `distributions` are what formats know
    about packages beyond the index; with `slim` the image leaves out what serving never loads of them.
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
    sdists: tuple[str, ...] = ()
    slim: bool = True
    distributions: tuple[Distribution, ...] = ()


def resolve_options(
    config: Config, options: Options, *, platform: str, pythons: tuple[str, ...], known: tuple[Distribution, ...]
) -> ResolveOptions:
    """The choices in mlpack.yaml and on the command line; `known` are the formats' distributions."""
    return ResolveOptions(
        python=config.python,
        platform=platform,
        requirements=(*config.requirements, *options.require),
        base=config.build.base,
        wheelhouse=config.build.wheelhouse,
        framework=config.framework,
        apt=config.apt,
        pythons=pythons,
        gpu=config.build.gpu,
        slim=config.build.slim,
        sdists=tuple(map(_package_name, (*config.build.sdists, *options.sdist))),
        distributions=known,
    )


def _package_name(text: str) -> str:
    name, specifiers = parse_requirement(text)
    if specifiers:
        raise ConfigError(
            f"`build: {{sdists: ...}}` has a version in {text!r}",
            hint=f"Write {name}; versions belong to `requirements:`.",
        )
    return name


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
    """Pin everything that the model needs on the target; reuse the lock in `cache_dir` if the input is unchanged.

    `runtime_requirements` is the server's own requirements file; `base_digest(base, platform)` queries the registry. Raises
    ResolveError, PythonTooOldError, IndexUnreachableError, MissingVersionError, ConfigError, UsageError.
    """
    if options.platform not in PLATFORMS:
        raise UsageError(f"unsupported platform {options.platform}", hint=f"Supported: {', '.join(PLATFORMS)}.")
    if options.wheelhouse is not None:
        settings = settings.only(options.wheelhouse)
    info = prepared.info
    if prepared.python is not None:
        options = replace(options, python=options.python or prepared.python)
    if not options.slim:
        options = replace(options, distributions=tuple(one.complete for one in options.distributions))
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
    why = f"Python {prepared.python}, which compiled the code in {info.path.name}."
    return replace(lock, reasons=(why, *lock.reasons[1:]))


def first_lock(choices: Iterable[tuple[str, ...]], lock: Callable[[tuple[str, ...]], Lock]) -> Lock:
    """The lock for the first set of Pythons that has one. Raises the last set's ResolveError, others at once."""
    error = ResolveError("this machine has no Python for the model", hint="Install one, or use a container engine.")
    for pythons in choices:
        try:
            return lock(pythons)
        except (IndexUnreachableError, SourceOnlyError):  # noqa: PERF203 - two iterations at most
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
    """Compute the lock, with queries to the index and the registry."""
    on_progress(Progress(step="index", title=f"querying the package index for {', '.join(wants.pins) or 'packages'}"))
    variant = with_variant(
        wants, gpu=options.gpu, platform=options.platform, settings=settings, known=options.distributions
    )
    runtime = _lines(runtime_requirements)
    solution, pythons = _solved(variant, options, runtime, cache_dir, on_progress)
    for _ in range(_MOST_ROUNDS):
        again = with_fitting_builds(
            variant, solution.packages, gpu=options.gpu, platform=options.platform, known=options.distributions
        )
        if again is None:
            break
        variant = again
        solution, pythons = _solved(variant, options, runtime, cache_dir, on_progress)
    wants, settings = variant.wants, variant.settings
    if not options.gpu:
        refuse_cuda(solution.packages)
    python = solution.target.python
    base = options.base or f"python:{python}-slim"
    if options.pythons:
        passed = f"; {solution.passed}" if solution.passed else ""
        digest, why, unpinned = None, f"Python {python}, which is installed on this machine{passed}.", ""
    else:
        on_progress(Progress(step="base", title=f"looking up the digest of {base}"))
        digest = base_digest(base, options.platform)
        why = why_python(
            python, wants.pins, usable=pythons, chosen_by_user=options.python is not None, passed=solution.passed
        )
        unpinned = "" if digest else f"The digest of {base} could not be read, so the base image is not pinned."
    return Lock(
        prepared=prepared,
        python=python,
        platform=options.platform,
        base=base,
        base_digest=digest,
        requirements="".join(package.to_requirement() for package in solution.packages if package.source is None),
        installer="".join(package.to_requirement() for package in solution.installer),
        reasons=tuple(filter(None, (why, *variant.reasons, *solution.reasons, unpinned))),
        cutoff=solution.cutoff,
        local_wheels=local_wheels((*solution.packages, *solution.installer), settings, cache_dir),
        apt=debian_packages(prepared.info, options.apt, options.distributions, solution),
        pages=tuple(place for place in settings.find_links if place in _pages(options)),
        gpu=options.gpu,
        sdists=source_builds(
            solution.packages, target=solution.target, settings=settings, cutoff=solution.cutoff, cache_dir=cache_dir
        ),
        test_folders=tuple(sorted({name for one in options.distributions for name in one.test_folders})),
        unused_files=unused_files(options.distributions, solution),
        gpu_code=() if options.gpu else gpu_code(options.distributions, solution),
        # CUDA may look for its code in the files of a library.
        strip=() if options.gpu else symbols(options.distributions, solution),
    )


def _solved(
    variant: Variant, options: ResolveOptions, runtime: list[str], cache_dir: Path, on_progress: OnProgress
) -> tuple[Solution, tuple[str, ...]]:
    """The locked packages, and the Pythons for which the recorded versions have wheels.

    Raises SourceOnlyError with all packages that must be built from source.
    """
    wants, allowed = variant.wants, frozenset(map(normalise, options.sdists))
    files = query_all(wants.pins, variant.settings)
    sources = pinned_sources(wants.pins, files, options.platform)
    if sources - allowed:
        raise _all_sources(sources - allowed, variant, options, runtime, cache_dir)
    wants = replace(wants, undated=wants.undated | sources)
    pins = {name: version for name, version in wants.pins.items() if name not in sources}
    pythons = _installed(usable_pythons(pins, files, options.platform, options.python), wants, options)
    on_progress(Progress(step="lock", title=f"locking packages for Python {pythons[0]} on {options.platform}"))
    try:
        solution = solve(
            wants,
            files,
            pythons=pythons,
            platform=options.platform,
            settings=variant.settings,
            runtime=runtime,
            now=datetime.now(timezone.utc),
            sources=Sources(names=allowed, cache_dir=cache_dir),
        )
    except NoSetError as error:
        missing = source_only(error.wheelless, options.platform, variant.settings) - allowed
        if not missing:
            raise
        raise _all_sources(missing, variant, options, runtime, cache_dir) from error
    return solution, pythons


def _all_sources(
    names: frozenset[str],
    variant: Variant,
    options: ResolveOptions,
    runtime: list[str],
    cache_dir: Path,
) -> SourceOnlyError:
    """The error for these source packages, and for those that are missing when they are allowed."""
    detail = ""
    try:
        _solved(variant, replace(options, sdists=(*options.sdists, *names)), runtime, cache_dir, _silent)
    except SourceOnlyError as error:
        names |= frozenset(error.names)
    except ResolveError as error:
        detail = error.message
    return SourceOnlyError(names, detail=detail)


def _pages(options: ResolveOptions) -> frozenset[str]:
    """The public pages of CPU builds."""
    return frozenset(page for one in options.distributions for page in one.cpu_pages.values())


def _installed(usable: tuple[str, ...], wants: Wanted, options: ResolveOptions) -> tuple[str, ...]:
    """The usable Pythons that are installed, in the order of `options.pythons`; all usable ones for an image."""
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
    """The key of a cached lock: everything that affects it. Logins do not, so a new password keeps the lock."""
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


def _lines(requirements: str) -> list[str]:
    """The lines of a requirements file, without comments and empty lines."""
    lines = (line.partition(" #")[0].strip() for line in requirements.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _silent(_progress: Progress) -> None:
    """Report nothing."""
