"""What the locked packages bring into an image beside themselves, and what of them is left out."""

from __future__ import annotations

from collections.abc import Iterable

from mlpack.artifacts.model import ModelInfo
from mlpack.packages.distributions import Distribution
from mlpack.packages.names import version_key
from mlpack.packages.solve import Solution


def debian_packages(
    info: ModelInfo, wanted: Iterable[str], known: Iterable[Distribution], solution: Solution
) -> tuple[str, ...]:
    """The Debian packages that the user wants, and those that the model's format and the locked packages need."""
    installed = {package.name for package in solution.packages}
    needed = (library for one in known if one.name in installed for library in one.system_libraries)
    return tuple(sorted({*info.apt, *wanted, *needed}))


def unused_files(known: Iterable[Distribution], solution: Solution) -> tuple[str, ...]:
    """The files that serving never loads, of the packages that are installed."""
    versions = {package.name: package.version for package in solution.packages}
    found: set[str] = set()
    for one in known:
        version = versions.get(one.name) or versions.get(one.cpu)
        if version is not None:
            found.update(one.unused_files)
            found.update(file for since, file in one.unused_since if version_key(version) >= version_key(since))
    return tuple(sorted(found))


def gpu_code(known: Iterable[Distribution], solution: Solution) -> tuple[str, ...]:
    """The shared objects with code for GPUs, of the packages that are installed."""
    installed = {package.name for package in solution.packages}
    return tuple(sorted({file for one in known if one.name in installed for file in one.gpu_code}))


def symbols(known: Iterable[Distribution], solution: Solution) -> tuple[str, ...]:
    """The shared objects, and folders of them, to strip, of the packages that are installed."""
    installed = {package.name for package in solution.packages}
    return tuple(sorted({file for one in known if installed & {one.name, one.cpu} for file in one.strip}))
