"""Choose the Python for a model: one for which its recorded versions have wheels."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlpack.errors import PythonTooOldError, ResolveError
from mlpack.packages.index.pages import IndexFile
from mlpack.packages.names import admits_python, is_final, parse_version, same_version, version_key
from mlpack.packages.wheels import parse_wheel

PREFERRED = "3.11"
NEWER, OLDER = ("3.12", "3.13", "3.14"), ("3.10", "3.9")
SUPPORTED = (PREFERRED, *NEWER, *OLDER)  # in the order in which they are tried
WITHOUT_IMAGE = tuple(f"3.{minor}" for minor in range(8, 4, -1))  # wheels may exist, but there is no base image


def usable_pythons(
    pins: Mapping[str, str], files: Mapping[str, tuple[IndexFile, ...]], platform: str, override: str | None
) -> tuple[str, ...]:
    """The Pythons for which every pinned version has wheels, best first; only `override` when it is given.

    Raises PythonTooOldError when only Pythons before 3.9 have wheels, ResolveError when a version does not exist or has
    no usable wheel.
    """
    if override is not None and override not in SUPPORTED:
        raise _override_error(override)
    having: dict[str, tuple[str, ...]] = {}
    for name, version in pins.items():
        having[name] = tuple(
            python for python in (*SUPPORTED, *WITHOUT_IMAGE) if wheels_of(version, files[name], python, platform)
        )
        _check(name, version, files[name], platform, having[name])
    usable = [python for python in SUPPORTED if all(python in pythons for pythons in having.values())]
    if override in usable or (override and not pins):
        return (str(override),)
    if override is None and usable:
        return tuple(usable)
    support = "; ".join(f"{name} {pins[name]} has wheels for {_listing(having[name])}" for name in pins)
    which = f"Python {override}" if override else "one Python"
    raise ResolveError(
        f"the recorded versions do not all support {which}: {support}",
        hint="Omit `python:` to let mlpack choose."
        if override and usable
        else "Choose another version with --framework.",
    )


def wheels_of(version: str, files: tuple[IndexFile, ...], python: str, platform: str) -> tuple[IndexFile, ...]:
    """The files of a version that the target can install."""
    found = []
    for file in files:
        wheel = parse_wheel(file.filename)
        if wheel and same_version(version, wheel.version) and wheel.fits(python, platform) and _admits(file, python):
            found.append(file)
    return tuple(found)


def why_python(
    python: str, pins: Mapping[str, str], *, usable: tuple[str, ...], chosen_by_user: bool, passed: str = ""
) -> str:
    """The reason for choosing this Python of the `usable` ones, as a sentence; `passed` is why another was not taken."""
    which = " and ".join(f"{name} {version}" for name, version in pins.items()) or "every package"
    has = "have" if len(pins) > 1 else "has"
    if chosen_by_user:
        return f"Python {python}, because `python:` sets it."
    if passed:
        return f"Python {python}, because {passed}."
    if python == PREFERRED:
        return f"Python {python}, the default: {which} {has} wheels for it."
    if PREFERRED in usable:
        return f"Python {python}: its dependencies at the release of {which} have no wheels for {PREFERRED}."
    nearest = "newer" if python in NEWER else "older"
    return (
        f"Python {python}: {which} {has} no wheels for {PREFERRED}; this is the nearest {nearest} version with wheels."
    )


def _check(name: str, version: str, files: tuple[IndexFile, ...], platform: str, having: tuple[str, ...]) -> None:
    """Raise ResolveError unless a pinned version is on the index and has a wheel for a supported Python."""
    if any(python in SUPPORTED for python in having):
        return
    if having:
        raise PythonTooOldError(
            f"{name} {version} has wheels for Python {_listing(having)} only, for which there is no base image",
            hint=_newer_hint(name, version, files, platform),
        )
    versions = sorted(
        {wheel.version for file in files if (wheel := parse_wheel(file.filename))}, key=version_key, reverse=True
    )
    if any(same_version(version, other) for other in versions) or any(version in file.filename for file in files):
        raise ResolveError(
            f"{name} {version} has no wheel for {platform}",
            hint="Build one with `pip wheel --no-deps -w wheels` on such a machine, and name its folder in PIP_FIND_LINKS.",
        )
    if not files:
        raise ResolveError(
            f"no configured package index has {name}",
            hint="Check the name; a private package needs its index (PIP_EXTRA_INDEX_URL) or a --wheelhouse.",
        )
    known = parse_version(version)
    nearest = _nearest(version, files, platform)
    kind = "a development version, and not" if known is not None and known.is_devrelease else "not"
    raise ResolveError(
        f"{name} {version} is {kind} on the package index (it has {', '.join(versions[:5])}, ...)",
        hint=f"--framework {name}=={nearest} tries the nearest release; or save the model again with a release."
        if nearest
        else f"Choose an available one: --framework {name}==VERSION.",
    )


def _nearest(version: str, files: tuple[IndexFile, ...], platform: str) -> str:
    """The release that most likely reads what a version wrote that is not on the index; "" if there is none.

    A development version's own release, else the newest of its series, else the one before it, else the one after it.
    """
    wheels = [(file, wheel) for file in files if not file.yanked and (wheel := parse_wheel(file.filename)) is not None]
    releases = {
        wheel.version
        for file, wheel in wheels
        if is_final(wheel.version)
        and any(wheel.fits(python, platform) and _admits(file, python) for python in SUPPORTED)
    }
    known = parse_version(version)
    if known is None or not releases:
        return ""
    own = [one for one in releases if same_version(one, known.base_version)]
    series = [one for one in releases if (*version_key(one), 0)[:2] == (*known.release, 0)[:2]]
    before = [one for one in releases if version_key(one) < known.release]
    if own or series or before:
        return max(own or series or before, key=version_key)
    return min(releases, key=version_key)


def _newer_hint(name: str, version: str, files: tuple[IndexFile, ...], platform: str) -> str:
    """The hint to use the newest patch of the next release series with a base image."""
    later: dict[tuple[int, ...], str] = {}
    for file in files:
        wheel = parse_wheel(file.filename)
        if (
            wheel and is_final(wheel.version) and version_key(wheel.version) > version_key(version) and not file.yanked
            and any(wheel.fits(python, platform) and _admits(file, python) for python in SUPPORTED)
        ):  # fmt: skip
            line = version_key(wheel.version)[:2]
            later[line] = max(later.get(line, wheel.version), wheel.version, key=version_key)
    again = f"re-save the model with a newer {name}"
    return (
        f"--framework {name}=={later[min(later)]} tries the next version that has a base image; or {again}."
        if later
        else f"{again.capitalize()}."
    )


def _override_error(override: str) -> ResolveError:
    if re.fullmatch(r"3\.[0-8]|2\.\d", override):
        return PythonTooOldError(
            f"Python {override} is too old: the serving runtime needs 3.9 or newer",
            hint="Omit `python:` to let mlpack choose.",
        )
    return ResolveError(
        f"Python {override} is not supported", hint=f"Use one of {', '.join(sorted(SUPPORTED, key=version_key))}."
    )


def _admits(file: IndexFile, python: str) -> bool:
    return admits_python(file.requires_python or "", python)


def _listing(pythons: tuple[str, ...]) -> str:
    return ", ".join(sorted(pythons, key=version_key)) or "none"
