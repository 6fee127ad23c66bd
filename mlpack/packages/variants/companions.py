"""Packages that were compiled against each other come from one build, also those that only another package asks for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mlpack.errors import ResolveError
from mlpack.packages.compiler import LockedPackage
from mlpack.packages.distributions import Distribution
from mlpack.packages.names import parse_requirement, parse_version
from mlpack.packages.settings import PackageSettings
from mlpack.packages.variants import Variant, with_variant
from mlpack.packages.variants.builds import CPU, find_build, label_of


def with_fitting_builds(
    variant: Variant, packages: Iterable[LockedPackage], *, gpu: bool, platform: str, known: Sequence[Distribution]
) -> Variant | None:
    """The variant to resolve again, because the locked packages are of different builds; None if they fit each other.

    A distribution that another package asks for gets its build for CPUs, as if the user had asked for it. Raises ResolveError
    if a companion has no build that fits.
    """
    locked = {package.name: package.version for package in packages}
    asked = {parse_requirement(line)[0] for line in (*variant.wants.lines, *variant.wants.extras)}
    late = [one for one in known if one.name in locked and one.name not in asked and (one.cpu or one.cpu_index)]
    if late and not gpu:
        settings = variant.settings
        extras = (*variant.wants.extras, *(_asked(one, locked[one.name], platform, settings) for one in late))
        again = with_variant(
            replace(variant.wants, extras=extras), gpu=gpu, platform=platform, settings=settings, known=known
        )
        return replace(again, reasons=(*variant.reasons, *again.reasons))
    found = variant
    for one in known:
        for name in one.companions:
            if one.name in locked and name in locked and label_of(locked[name]) != label_of(locked[one.name]):
                found = _fitted(found, one, name, locked, platform)
    return None if found is variant else found


def _asked(one: Distribution, version: str, platform: str, settings: PackageSettings) -> str:
    """The requirement for a distribution that another package asks for: the locked version if it has a CPU build."""
    if one.cpu_index:
        try:
            find_build(one, one.name, version, CPU, platform, settings)
        except ResolveError:
            return one.name
    return f"{one.name}=={version}"


def _fitted(variant: Variant, one: Distribution, name: str, locked: dict[str, str], platform: str) -> Variant:
    """The variant with the companion `name` constrained to the build of `one`."""
    wants, settings, label = variant.wants, variant.settings, label_of(locked[one.name])
    reason = f"{name} is of the build +{label}, as {one.name} {locked[one.name]} is."
    if label:
        public = parse_version(locked[name])
        version, settings = find_build(one, name, public.public if public else None, label, platform, settings)
        constraint = f"{name}=={version}"
    else:
        constraint = f"{name}!={locked[name]}"  # a labelled build of the user's own sources
        reason = f"{name} is of the build without a label, as {one.name} {locked[one.name]} is."
    wants = replace(
        wants,
        constraints=tuple(sorted({*wants.constraints, constraint})),
        pinned_extras=wants.pinned_extras | {name},  # the authors' pages have no upload times
    )
    return Variant(wants=wants, settings=settings, reasons=(*variant.reasons, reason))
