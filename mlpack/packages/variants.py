"""CPU or GPU: choose a framework's distribution and its index, and keep CUDA out of CPU images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mlpack.errors import IndexUnreachableError, ResolveError
from mlpack.packages.compiler import LockedPackage
from mlpack.packages.distributions import Distribution
from mlpack.packages.index import query, query_all
from mlpack.packages.index.pages import IndexFile
from mlpack.packages.names import is_final, normalise, parse_requirement, same_version, version_key
from mlpack.packages.pythons import SUPPORTED
from mlpack.packages.settings import PackageSettings
from mlpack.packages.wanted import Wanted
from mlpack.packages.wheels import parse_wheel

_CUDA = ("nvidia-", "cuda-", "triton", "pytorch-triton")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The wants with the chosen distributions, and the settings with the sources that they need."""

    wants: Wanted
    settings: PackageSettings
    reasons: tuple[str, ...] = ()


def with_variant(
    wants: Wanted, *, gpu: bool, platform: str, settings: PackageSettings, known: Sequence[Distribution]
) -> Variant:
    """The wants for a CPU, or with `gpu` for CUDA; `known` are the distributions that differ between the two.

    Raises ResolveError where a distribution with an index of builds for CPUs has none for the platform.
    """
    wants = _without_unused(_bounded(wants, known), known)
    by_cpu_index = [one for one in known if one.cpu_index]
    if gpu:
        wants = _renamed(wants, {one.name: one.gpu for one in known if one.gpu})
        for one in by_cpu_index:
            wants = _without_cpu_builds(wants, one.name, settings)
        return Variant(wants=wants, settings=settings)
    renamed = [one for one in known if one.cpu and one.name in _names(wants)]
    offered = query_all([one.cpu for one in renamed], settings)
    chosen = {one.name: one.cpu for one in renamed if _has(offered[one.cpu], wants.pins.get(one.name), platform)}
    excludes = {*wants.excludes, *chosen}
    excludes |= {needless for one in renamed if one.name not in chosen for needless in one.needless}
    variant = Variant(wants=replace(_renamed(wants, chosen), excludes=tuple(sorted(excludes))), settings=settings)
    for one in by_cpu_index if platform == "linux/amd64" else ():  # on other platforms PyPI's builds have no CUDA
        if one.name in _names(variant.wants):
            variant = _cpu_variant(variant, one, platform)
    return variant


def refuse_cuda(packages: Iterable[LockedPackage]) -> None:
    """Raise ResolveError when the set for a CPU contains CUDA libraries."""
    found = sorted(package.name for package in packages if package.name.startswith(_CUDA))
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise ResolveError(
            f"the packages would install gigabytes of CUDA libraries: {', '.join(found[:3])}{more}",
            hint="Use --gpu if you want them; else provide a CPU build, such as a folder of wheels in PIP_FIND_LINKS.",
        )


def _bounded(wants: Wanted, known: Iterable[Distribution]) -> Wanted:
    """The wants with the constraints that are missing in a distribution's metadata."""
    bounds = [
        constraint
        for one in known
        if one.name in wants.pins
        for release, constraint in one.bounds
        if version_key(wants.pins[one.name]) < version_key(release)
    ]
    return replace(wants, constraints=tuple(sorted({*wants.constraints, *bounds})))


def _without_unused(wants: Wanted, known: Iterable[Distribution]) -> Wanted:
    """The wants without requirements that serving never loads, unless they are wanted by name."""
    names = _names(wants)
    unused = {name for one in known if names & {one.name, one.cpu} for name in one.unused_requirements}
    return replace(wants, excludes=tuple(sorted({*wants.excludes, *(unused - names)})))


def _cpu_variant(variant: Variant, one: Distribution, platform: str) -> Variant:
    """Pin the distribution to a build without CUDA, from the user's sources, else from its authors' CPU index."""
    wants, settings, reasons, name = variant.wants, variant.settings, variant.reasons, one.name
    pin = wants.pins.get(name) or _pinned_extra(wants, name)
    which = f"{name} {pin}" if pin else name
    version = _cpu_build(query(name, settings), pin, platform)
    if version is None and not settings.no_index:
        settings = replace(settings, find_links=(*settings.find_links, one.cpu_page))
        version = _cpu_build(_on_page(one, which, settings), pin, platform)
    if version is None:
        raise ResolveError(
            f"there is no build of {which} without CUDA for {platform} in your package sources",
            hint=f"Put its wheel ({_download(one)}) into a folder named by PIP_FIND_LINKS; or use --gpu.",
        )
    if pin is None:
        taken = f"The file does not record the version of {name}: the newest without CUDA is used, {version}."
        reasons = (*reasons, taken)
    extras = tuple(line for line in wants.extras if parse_requirement(line)[0] != name)
    others = (line for line in wants.lines if parse_requirement(line)[0] != name)
    lines = tuple(sorted({*others, f"{name}=={version}"}))
    newest = {other: reads for other, reads in wants.newest.items() if other != name}
    wants = replace(wants, lines=lines, extras=extras, pins={**wants.pins, name: version}, newest=newest)
    return Variant(wants=wants, settings=settings, reasons=reasons)


def _without_cpu_builds(wants: Wanted, name: str, settings: PackageSettings) -> Wanted:
    """Exclude the distribution's CPU builds, which the user's sources may have."""
    if name not in _names(wants):
        return wants
    wheels = (parse_wheel(file.filename) for file in query(name, settings))
    versions = sorted({wheel.version for wheel in wheels if wheel is not None and wheel.version.endswith("+cpu")})
    return replace(wants, constraints=(*wants.constraints, *(f"{name}!={version}" for version in versions)))


def _on_page(one: Distribution, which: str, settings: PackageSettings) -> tuple[IndexFile, ...]:
    try:
        return query(one.name, settings)
    except IndexUnreachableError as error:
        raise ResolveError(
            f"no build of {which} without CUDA is in your package sources, and {one.cpu_page} cannot be reached",
            hint=f"Put its wheel into a folder named by PIP_FIND_LINKS ({_download(one)}); or --gpu.",
            detail=error.message,
        ) from error


def _download(one: Distribution) -> str:
    return f"pip download --no-deps --index-url {one.cpu_index} {one.name}"


def _cpu_build(files: Iterable[IndexFile], pin: str | None, platform: str) -> str | None:
    """The `+cpu` version of the pinned or newest release that a supported Python can install."""
    found: set[str] = set()
    for file in files:
        wheel = parse_wheel(file.filename)
        if wheel is None or not wheel.version.endswith("+cpu") or file.yanked:
            continue
        if pin is not None and not same_version(pin, wheel.version):
            continue
        if (pin or is_final(wheel.version)) and any(wheel.fits(python, platform) for python in SUPPORTED):
            found.add(wheel.version)
    return max(found, key=version_key, default=None)


def _has(files: Iterable[IndexFile], pin: str | None, platform: str) -> bool:
    """Whether the distribution has the pinned version, or any, for the platform and a supported Python."""
    wheels = (parse_wheel(file.filename) for file in files if not file.yanked)
    return any(
        wheel is not None
        and (pin is None or same_version(pin, wheel.version))
        and any(wheel.fits(python, platform) for python in SUPPORTED)
        for wheel in wheels
    )


def _names(wants: Wanted) -> frozenset[str]:
    return frozenset(parse_requirement(line)[0] for line in (*wants.lines, *wants.extras))


def _pinned_extra(wants: Wanted, name: str) -> str | None:
    """The version of a distribution that the user's requirements pin."""
    for line in wants.extras:
        found, specifiers = parse_requirement(line)
        if found == name and specifiers.startswith("==") and "*" not in specifiers and "," not in specifiers:
            return specifiers.lstrip("=")
    return None


def _renamed(wants: Wanted, names: Mapping[str, str]) -> Wanted:
    """The wants with distributions renamed."""

    def line(text: str) -> str:
        name = parse_requirement(text)[0]
        if name not in names:
            return text
        return names[name] + text.strip()[len(name) :] if normalise(text.strip()[: len(name)]) == name else text

    return replace(
        wants,
        pins={normalise(names.get(name, name).partition("[")[0]): version for name, version in wants.pins.items()},
        lines=tuple(sorted(map(line, wants.lines))),
        extras=tuple(map(line, wants.extras)),
        newest={normalise(names.get(name, name).partition("[")[0]): reads for name, reads in wants.newest.items()},
        constraints=tuple(sorted(re.sub(r"\[.*?\]", "", line(one)) for one in wants.constraints)),
    )
