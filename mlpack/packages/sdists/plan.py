"""The files with which the wheels of source packages are built: the packages, and the wheels of their build tools."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from mlpack.artifacts.lock import SourceBuild
from mlpack.errors import ResolveError
from mlpack.packages.compiler import LockedPackage, compile_lock
from mlpack.packages.failures import NoSetError
from mlpack.packages.local import fetched
from mlpack.packages.sdists.archive import read_source
from mlpack.packages.settings import PackageSettings
from mlpack.packages.target import Target

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")


def source_builds(
    packages: Iterable[LockedPackage],
    *,
    target: Target,
    settings: PackageSettings,
    cutoff: str | None,
    cache_dir: Path,
) -> tuple[SourceBuild, ...]:
    """How to build each locked source package: its file and the wheels of its build tools, fetched to `cache_dir`.

    The tools are those of the cut-off date, because a new setuptools no longer builds some old packages. Raises ResolveError,
    IndexUnreachableError.
    """
    builds = []
    for package in packages:
        if package.source is None:
            continue
        source = fetched(package.source, settings, cache_dir)
        facts = read_source(source.path)
        tools = _tools(package, facts.tools, target, settings, cutoff)
        wheels = tuple(fetched(wheel, settings, cache_dir) for tool in tools for wheel in tool.wheels)
        for file in (source, *wheels):
            if not _SAFE.fullmatch(file.filename):  # it becomes a word of the Dockerfile
                raise ResolveError(f"{file.filename!r} is no file name of a package", hint="Check the package index.")
        builds.append(
            SourceBuild(
                name=package.name,
                version=package.version,
                source=source,
                tools=wheels,
                compiles=facts.compiles,
            )
        )
    return tuple(builds)


def _tools(
    package: LockedPackage, lines: tuple[str, ...], target: Target, settings: PackageSettings, cutoff: str | None
) -> tuple[LockedPackage, ...]:
    try:
        return compile_lock(lines, target=target, settings=settings, cutoff=cutoff)
    except NoSetError as error:
        if cutoff is not None:
            return _tools(package, lines, target, settings, None)
        first = error
    raise ResolveError(
        f"{package.name} {package.version} cannot be built: its build tools ({', '.join(lines)}) have no set of wheels",
        hint="Build its wheel yourself (`pip wheel --no-deps`), and name its folder in PIP_FIND_LINKS.",
        detail=first.message,
    )
