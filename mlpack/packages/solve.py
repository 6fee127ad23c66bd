"""Resolve a model's requirements: its dependencies as of its own date, the serving runtime's at their newest."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from mlpack.packages.compiler import LockedPackage, compile_lock
from mlpack.packages.era import Era, find_era, was_released
from mlpack.packages.failures import NoSetError
from mlpack.packages.index import query_all
from mlpack.packages.index.pages import IndexFile
from mlpack.packages.installer import server_and_installer
from mlpack.packages.names import parse_requirement
from mlpack.packages.sdists.needed import source_only
from mlpack.packages.sdists.stubs import Sources, compile_with_sources
from mlpack.packages.settings import PackageSettings
from mlpack.packages.target import Target
from mlpack.packages.wanted import Wanted

Files = Mapping[str, tuple[IndexFile, ...]]

_PATIENCE_S = 90.0  # one Python takes about a second, with an index that is slow several
_LONGEST = 160  # characters of a reason on one line


@dataclass(frozen=True, kw_only=True)
class Solution:
    """A locked set of packages and the reasons for it; `passed` says why a Python before this one was not taken."""

    target: Target
    packages: tuple[LockedPackage, ...]
    installer: tuple[LockedPackage, ...]
    cutoff: str | None
    reasons: tuple[str, ...]
    passed: str = ""


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """One attempt to resolve: packages `exempt` from the cut-off, more constraints, and the reason to report."""

    exempt: frozenset[str]
    constraints: tuple[str, ...]
    reason: str = ""


def solve(
    wants: Wanted,
    files: Files,
    *,
    pythons: tuple[str, ...],
    platform: str,
    settings: PackageSettings,
    runtime: list[str],
    now: datetime,
    sources: Sources,
) -> Solution:
    """The set for the first of `pythons` that has one; raises the first ResolveError when none has.

    `sources` may be built from source. After `_PATIENCE_S` seconds no further Python is tried.
    """
    first: NoSetError | None = None
    tried: list[str] = []
    began = time.monotonic()
    eras = {
        python: find_era(wants.dated, files, python=python, platform=platform, numpy_major=wants.numpy_major, now=now)
        for python in pythons
    }
    # a pure Python wheel fits any Python, but dependencies from before a Python's release have no wheels for it
    for python in sorted(pythons, key=lambda python: not was_released(python, eras[python].cutoff)):
        target, era = Target(python=python, platform=platform), eras[python]
        try:
            found = _solve_for(wants, files, era, target=target, settings=settings, runtime=runtime, sources=sources)
        except NoSetError as error:
            tried.append(python)
            first = first or _with_era(error, era)
            hopeless = not error.python_matters or source_only(error.wheelless, platform, settings)
            if hopeless or time.monotonic() - began > _PATIENCE_S:
                break
        else:
            return replace(found, passed=f"Python {tried[0]} has no set: {_shortened(first.sentence)}" if first else "")
    raise _with_tried(first, tried[1:]) if first else NoSetError("no Python version to lock for")


def _shortened(sentence: str) -> str:
    """The first part of uv's reason, which names the cause."""
    text = sentence.partition(", we can conclude")[0].partition(" and you require")[0]
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"


def _with_tried(error: NoSetError, others: list[str]) -> NoSetError:
    """The error, with the other Pythons that have no set either."""
    if others:
        error.hint = f"{error.hint} Python {', '.join(others)} {'have' if len(others) > 1 else 'has'} no set either."
    return error


def _solve_for(
    wants: Wanted,
    files: Files,
    era: Era,
    *,
    target: Target,
    settings: PackageSettings,
    runtime: list[str],
    sources: Sources,
) -> Solution:
    """The set for one Python: as of the cut-off, then with more and more packages exempt from it."""
    server, installer = server_and_installer(runtime, target=target, settings=settings)
    lines = [*wants.lines, *wants.extras, *runtime]
    error: NoSetError | None = None
    attempts = iter(_attempts(wants, files, era, {package.name for package in server}, lines, target, settings))
    attempt = next(attempts, None)
    while attempt is not None:
        try:
            packages = compile_with_sources(
                lines,
                sources=sources,
                target=target,
                settings=settings,
                constraints=(*wants.constraints, *attempt.constraints),
                cutoff=era.cutoff,
                exempt=attempt.exempt,
                excludes=wants.excludes,
            )
        except NoSetError as failed:  # noqa: PERF203 - the next attempt is made because this one failed
            error = error or failed
            wheelless = failed.wheelless.keys() - attempt.exempt if era.cutoff is not None else None
            attempt = _with_wheels(attempt, frozenset(wheelless)) if wheelless else next(attempts, None)
        else:
            reasons = (*era.reasons, *_newest(wants, packages), *([attempt.reason] if attempt.reason else []))
            return Solution(target=target, packages=packages, installer=installer, cutoff=era.cutoff, reasons=reasons)
    raise error or NoSetError("there are no packages to lock")


def _with_wheels(attempt: _Attempt, names: frozenset[str]) -> _Attempt:
    """The attempt with packages exempt that had no wheels at the cut-off, mostly small pure Python ones."""
    reason = f"{attempt.reason} No wheel from that time: {', '.join(sorted(names))}; the newest version is used."
    return replace(attempt, exempt=attempt.exempt | names, reason=reason.strip())


def _newest(wants: Wanted, packages: Iterable[LockedPackage]) -> list[str]:
    """The reasons for versions that the file does not record."""
    return [_why_newest(one, wants.newest[one.name]) for one in packages if one.name in wants.newest]


def _why_newest(package: LockedPackage, reads: str) -> str:
    if reads:
        return f"{reads} wrote the file: the newest {package.name}, which reads it, is used, {package.version}."
    return f"The file does not record the version of {package.name}: the newest that can read it is used, {package.version}."


def _attempts(
    wants: Wanted, files: Files, era: Era, server: set[str], lines: list[str], target: Target, settings: PackageSettings
) -> Iterable[_Attempt]:
    """The attempts, best first; later ones are computed only when needed."""
    # recorded and chosen versions are exempt from the cut-off
    exempt = frozenset(server | set(wants.pins) | wants.pinned_extras)
    bound = era.constraints
    if settings.find_links or not _all_dated(files):  # files in a folder have no upload time, so no cut-off applies
        bound = (*bound, *(cap for cap in era.caps if parse_requirement(cap)[0] not in exempt))
    yield _Attempt(exempt=exempt, constraints=bound)
    if era.cutoff is None:
        return
    if later := set(wants.at_least) - exempt:
        exempt |= later
        names = " and ".join(f"{name} {wants.at_least[name]}" for name in sorted(later))
        reason = f"The file was written with {names}, which may be newer than that time."
        yield _Attempt(exempt=exempt, constraints=bound, reason=reason)
    if wants.extra_names - exempt:
        names = ", ".join(sorted(wants.extra_names - exempt))
        exempt |= wants.extra_names
        yield _Attempt(
            exempt=exempt, constraints=bound, reason=f"No set from that time has {names}: the newest version is used."
        )
    undated = (
        frozenset() if _all_dated(files) else _undated_names(lines, (*wants.constraints, *bound), target, settings)
    )
    if undated - exempt:
        reason = f"The package index has no date for {', '.join(sorted(undated - exempt))}: the newest version is used."
        yield _Attempt(exempt=exempt | undated, constraints=bound, reason=reason)


def _all_dated(files: Files) -> bool:
    """Whether every file has an upload time."""
    return all(file.upload_time for offered in files.values() for file in offered)


def _undated_names(
    lines: list[str], constraints: tuple[str, ...], target: Target, settings: PackageSettings
) -> frozenset[str]:
    """The packages of the newest set for which no source has an upload time."""
    try:
        today = compile_lock(lines, target=target, settings=settings, constraints=constraints)
    except NoSetError:
        return frozenset()
    offered = query_all([package.name for package in today], settings)
    return frozenset(name for name, files in offered.items() if not any(file.upload_time for file in files))


def _with_era(error: NoSetError, era: Era) -> NoSetError:
    """The error, with the cut-off date in its message."""
    if era.cutoff is None:
        return error
    message = f"{error.message} (dependencies as of {era.cutoff[:10]})"
    hint = f"{error.hint} The cut-off date does not apply to a version pinned in `requirements:`."
    dated = NoSetError(message, hint=hint, detail=error.detail)
    dated.sentence, dated.wheelless = error.sentence, error.wheelless
    return dated
