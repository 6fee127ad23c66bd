"""A model's requirements: the versions that it records, its other packages, and the user's additions."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from mlpack.artifacts.model import ModelInfo, Requirement
from mlpack.errors import MissingVersionError, ResolveError, UsageError
from mlpack.packages.names import is_pinned, normalise, parse_requirement


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Requirements by their origin.

    `pins` are the recorded versions by normalised name; `lines` all packages of the model, pins included; `extras` the
    user's own, `pinned_extras` the names of those with a fixed version; `constraints` restrict versions and install
    nothing; `excludes` are never installed; `newest` have no recorded version, and the one in `pins`, or their newest
    release, is the newest that reads the file (by name, whose files it reads in place of the package that wrote them, "" for
    its own). `undated` are pins that say nothing about the file's date: the user's own, or another package's.
    """

    pins: Mapping[str, str]
    lines: tuple[str, ...]
    extras: tuple[str, ...]
    pinned_extras: frozenset[str]
    constraints: tuple[str, ...]
    numpy_major: int | None
    excludes: tuple[str, ...] = ()
    newest: Mapping[str, str] = field(default_factory=dict)
    undated: frozenset[str] = frozenset()

    @property
    def dated(self) -> Mapping[str, str]:
        """The pins whose release dates are the file's date: the recorded ones, if there are any."""
        recorded = {name: version for name, version in self.pins.items() if name not in self.newest}
        dated = {name: version for name, version in recorded.items() if name not in self.undated}
        return dated or recorded or self.pins

    @property
    def at_least(self) -> Mapping[str, str]:
        """The constraints with a lower bound, by name; the releases that they allow may be newer than the framework."""
        found = dict(map(parse_requirement, self.constraints))
        return {name: allowed for name, allowed in found.items() if ">=" in allowed and name != "numpy"}

    @property
    def extra_names(self) -> frozenset[str]:
        """The names of the user's own requirements."""
        return frozenset(parse_requirement(line)[0] for line in self.extras)


def wanted(info: ModelInfo, *, extras: Iterable[str], framework: str | None) -> Wanted:
    """What to lock for the model.

    `framework` comes from the user ("scikit-learn==1.0.2") and replaces the recorded version. Raises MissingVersionError
    when the framework's version is unknown, ConfigError for an invalid requirement, UsageError for a framework without a
    version.
    """
    kept = tuple(" ".join(line.split()) for line in extras if line.strip())
    versions, constraints, order = _recorded(info)
    named = dict(map(parse_requirement, kept))
    if framework is not None:
        name, specifiers = parse_requirement(framework)
        if not specifiers.startswith("=="):
            raise UsageError(f"--framework {framework} has no version", hint=f"Write --framework {name}==VERSION.")
        versions[name] = specifiers.removeprefix("==").removeprefix("=")
        order.setdefault(name)
    chosen = {name for name, specifiers in named.items() if specifiers and name != "numpy"} | set(versions)
    constraints = {line for line in constraints if parse_requirement(line)[0] not in chosen}
    if _lacks_version(info, versions):
        raise MissingVersionError(
            f"the file does not record the version of {info.framework}",
            hint=f"Set it with --framework {info.framework}==VERSION; with a wrong version the model may load incorrectly.",
        )
    for name, version in versions.items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+!_-]{0,60}", version):  # it was read from the model file
            raise ResolveError(
                f"the file records {version[:60]!r} as the version of {name}",
                hint=f"Set it with --framework {name}==VERSION.",
            )
    pins = {**_last_releases(info, {*versions, *named}), **versions}
    return Wanted(
        pins=dict(sorted(pins.items())),
        lines=tuple(sorted(f"{name}=={pins[name]}" if name in pins else name for name in order)),
        extras=kept,
        pinned_extras=frozenset(name for name, specifiers in map(parse_requirement, kept) if is_pinned(specifiers)),
        constraints=tuple(sorted(constraints)),
        numpy_major=info.numpy_major,
        excludes=tuple(sorted(map(normalise, info.excludes))),
        newest={
            name: one.reads
            for one in info.requirements
            if one.newest and (name := normalise(one.distribution)) not in versions
        },
    )


def _recorded(info: ModelInfo) -> tuple[dict[str, str], set[str], dict[str, None]]:
    """The versions, constraints and names (in order) in the file."""
    versions: dict[str, str] = {}
    constraints: set[str] = set()
    order: dict[str, None] = {"numpy": None}  # the serving runtime uses it
    for requirement in info.requirements:
        name = normalise(requirement.distribution)
        order.setdefault(name)
        if requirement.version:
            versions[name] = requirement.version
        if requirement.constraint and not (requirement.newest and requirement.constraint.startswith("<=")):
            constraints.add(f"{name}{requirement.constraint}")
    if info.framework and not _names_framework(info):
        name = normalise(info.framework)
        order.setdefault(name)
        if info.framework_version:
            versions[name] = info.framework_version
    elif info.framework and info.framework_version and normalise(info.framework) in order:
        versions.setdefault(normalise(info.framework), info.framework_version)
    return versions, constraints, order


def _last_releases(info: ModelInfo, known: Collection[str]) -> dict[str, str]:
    """The newest releases that read the file, of packages whose version neither the file nor the user tells (`known`)."""
    found = {normalise(one.distribution): _last_release(one) for one in info.requirements}
    return {name: version for name, version in found.items() if version and name not in known}


def _last_release(requirement: Requirement) -> str:
    """The newest release that reads the file; "" where that is the newest of all, or the file records a version."""
    bounded = requirement.newest and requirement.constraint.startswith("<=") and not requirement.version
    return requirement.constraint.removeprefix("<=") if bounded else ""


def _names_framework(info: ModelInfo) -> bool:
    """Whether the requirements include the framework, also as another distribution (tensorflow-cpu)."""
    wanted_name = normalise(info.framework or "")
    return any(wanted_name in (normalise(one.distribution), normalise(one.module)) for one in info.requirements)


def version_is_missing(info: ModelInfo) -> bool:
    """Whether the user must set the framework's version, because the file does not record it."""
    return _lacks_version(info, _recorded(info)[0])


def _lacks_version(info: ModelInfo, versions: Mapping[str, str]) -> bool:
    """Whether the framework has no version in `versions`, and its newest release may not read the file."""
    if info.framework is None:
        return False
    name = normalise(info.framework)
    own = [one for one in info.requirements if name in (normalise(one.module), normalise(one.distribution))]
    recorded = ({normalise(one.distribution) for one in own} | {name}) & set(versions)
    return not recorded and not any(one.newest for one in own)
