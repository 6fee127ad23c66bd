"""CPU or GPU: choose a framework's distribution and its index."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mlpack.packages.distributions import Distribution
from mlpack.packages.index import query, query_all
from mlpack.packages.index.pages import IndexFile
from mlpack.packages.names import normalise, parse_requirement, same_version, version_key
from mlpack.packages.pythons import SUPPORTED
from mlpack.packages.settings import PackageSettings
from mlpack.packages.variants.builds import CPU, find_build
from mlpack.packages.wanted import Wanted
from mlpack.packages.wheels import parse_wheel


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


def _bounded(wants: Wanted, known: Iterable[Distribution]) -> Wanted:
    """The wants with the constraints that are missing in a distribution's metadata."""
    pinned = [(one, wants.pins[one.name]) for one in known if one.name in wants.pins]
    bounds = [
        constraint
        for one, pin in pinned
        for release, constraint in one.bounds
        if version_key(pin) < version_key(release)
    ]
    chosen = {parse_requirement(line)[0] for line in wants.lines} | wants.pinned_extras
    bounds += [
        f"{name}=={'.'.join(map(str, version_key(pin)[:2]))}.*"
        for one, pin in pinned
        for name in one.same_series
        if name not in chosen
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
    version, settings = find_build(one, name, pin, CPU, platform, settings)
    if pin is None:
        taken = f"The file does not record the version of {name}: the newest without CUDA is used, {version}."
        reasons = (*reasons, taken)
    extras = tuple(line for line in wants.extras if parse_requirement(line)[0] != name)
    others = (line for line in wants.lines if parse_requirement(line)[0] != name)
    lines = tuple(sorted({*others, f"{name}=={version}"}))
    newest = {other: reads for other, reads in wants.newest.items() if other != name}
    undated = wants.undated | ({name} if len(extras) < len(wants.extras) else frozenset())
    wants = replace(
        wants, lines=lines, extras=extras, pins={**wants.pins, name: version}, newest=newest, undated=undated
    )
    return Variant(wants=wants, settings=settings, reasons=reasons)


def _without_cpu_builds(wants: Wanted, name: str, settings: PackageSettings) -> Wanted:
    """Exclude the distribution's CPU builds, which the user's sources may have."""
    if name not in _names(wants):
        return wants
    wheels = (parse_wheel(file.filename) for file in query(name, settings))
    versions = sorted({wheel.version for wheel in wheels if wheel is not None and wheel.version.endswith("+cpu")})
    return replace(wants, constraints=(*wants.constraints, *(f"{name}!={version}" for version in versions)))


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
