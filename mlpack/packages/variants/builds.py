"""Builds of one version: a wheel's local label, such as `cpu` in `2.4.0+cpu`, says what it was compiled for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mlpack.errors import IndexUnreachableError, ResolveError
from mlpack.packages.distributions import Distribution
from mlpack.packages.index import query
from mlpack.packages.index.pages import IndexFile
from mlpack.packages.names import is_final, parse_version, same_version, version_key
from mlpack.packages.pythons import SUPPORTED
from mlpack.packages.settings import PackageSettings
from mlpack.packages.wheels import parse_wheel

CPU = "cpu"


def label_of(version: str) -> str:
    """The local label of a version: `cpu` of `2.4.0+cpu`, "" for none."""
    found = parse_version(version)
    return (found.local or "") if found is not None else ""


def find_build(
    one: Distribution, name: str, pin: str | None, label: str, platform: str, settings: PackageSettings
) -> tuple[str, PackageSettings]:
    """The version of `name` with this label, and the settings with the page that lists it.

    `name` is `one` or a companion; `pin` its version, None for the newest. The user's sources come first, then, for `cpu`, the
    page of the authors. Raises ResolveError if there is none.
    """
    which, page = f"{name} {pin}" if pin else name, one.cpu_pages.get(name, "") if label == CPU else ""
    version = _build(query(name, settings), pin, label, platform)
    if version is None and page and not settings.no_index:
        settings = replace(settings, find_links=(*settings.find_links, page))
        version = _build(_on_page(name, pin, page, one, settings), pin, label, platform)
    if version is not None:
        return version, settings
    if label != CPU:
        raise ResolveError(
            f"there is no build +{label} of {which} for {platform} in your package sources",
            hint=f"{name} works only with {one.name} of the same build: add the index with +{label} (PIP_EXTRA_INDEX_URL), "
            "or its wheel to a folder named by PIP_FIND_LINKS.",
        )
    raise ResolveError(
        f"there is no build of {which} without CUDA for {platform} in your package sources",
        hint=f"Put its wheel ({_download(one, name, pin)}) into a folder named by PIP_FIND_LINKS; or use --gpu.",
    )


def _on_page(
    name: str, pin: str | None, page: str, one: Distribution, settings: PackageSettings
) -> tuple[IndexFile, ...]:
    try:
        return query(name, settings)
    except IndexUnreachableError as error:
        which = f"{name} {pin}" if pin else name
        raise ResolveError(
            f"no build of {which} without CUDA is in your package sources, and {page} cannot be reached",
            hint=f"Put its wheel into a folder named by PIP_FIND_LINKS ({_download(one, name, pin)}); or --gpu.",
            detail=error.message,
        ) from error


def _download(one: Distribution, name: str, pin: str | None) -> str:
    exact = f"{name}=={pin}" if pin and name != one.name else name
    return f"pip download --no-deps --index-url {one.cpu_index} {exact}"


def _build(files: Iterable[IndexFile], pin: str | None, label: str, platform: str) -> str | None:
    """The labelled version of the pinned or newest release that a supported Python can install."""
    found: set[str] = set()
    for file in files:
        wheel = parse_wheel(file.filename)
        if wheel is None or label_of(wheel.version) != label or file.yanked:
            continue
        if pin is not None and not same_version(pin, wheel.version):
            continue
        if (pin or is_final(wheel.version)) and any(wheel.fits(python, platform) for python in SUPPORTED):
            found.add(wheel.version)
    return max(found, key=version_key, default=None)
