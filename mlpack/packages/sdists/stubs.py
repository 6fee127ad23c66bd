"""Resolve source packages with uv, which is given their metadata as wheels without content, so that it never runs them."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.utils import InvalidSdistFilename, parse_sdist_filename

from mlpack.packages.compiler import LockedPackage, LockedWheel, compile_lock
from mlpack.packages.index import local_path, query_all
from mlpack.packages.index.pages import IndexFile
from mlpack.packages.local import fetched
from mlpack.packages.names import admits_python, same_version
from mlpack.packages.sdists.archive import read_source
from mlpack.packages.settings import PackageSettings
from mlpack.packages.target import Target
from mlpack.packages.wheels import parse_wheel

_MOST_ROUNDS = 12  # the metadata of a version are read when uv chooses it


@dataclass(frozen=True, kw_only=True)
class Sources:
    """The names of the packages that may be built from source, and the folder where their files are kept."""

    names: frozenset[str]
    cache_dir: Path


def source_of(file: IndexFile) -> tuple[str, str] | None:
    """The normalised name and the version of a source package; None for any other file."""
    try:
        name, version = parse_sdist_filename(file.filename)
    except InvalidSdistFilename:
        return None
    return str(name), str(version)


def compile_with_sources(
    lines: Iterable[str],
    *,
    sources: Sources,
    target: Target,
    settings: PackageSettings,
    cutoff: str | None = None,
    exempt: Collection[str] = (),
    **choices: Any,
) -> tuple[LockedPackage, ...]:
    """The result of `compile_lock`, with packages whose locked version is a source package (`source`) among them.

    Raises also ResolveError for a source package that cannot be read.
    """
    lines = list(lines)
    offered = _offered(sources, target, settings, cutoff, exempt) if sources.names else {}
    if not offered:
        return compile_lock(lines, target=target, settings=settings, cutoff=cutoff, exempt=exempt, **choices)
    requires: dict[tuple[str, str], tuple[str, ...]] = {}
    for _ in range(_MOST_ROUNDS):
        with tempfile.TemporaryDirectory(prefix="mlpack-sdists-") as folder:
            for (name, version), file in offered.items():
                _write_stub(Path(folder), name, version, file, requires.get((name, version), ()))
            packages = compile_lock(
                lines,
                target=target,
                settings=replace(settings, find_links=(*settings.find_links, folder)),
                cutoff=cutoff,
                exempt=exempt,
                **choices,
            )
            chosen = [(one.name, one.version) for one in packages if _is_stub(one, Path(folder))]
        unread = [key for key in chosen if key not in requires]
        if not unread:
            break
        for key in unread:
            path = fetched(_locked(offered[key]), settings, sources.cache_dir).path
            requires[key] = read_source(path).requires
    return tuple(
        replace(one, wheels=(), source=_locked(offered[one.name, one.version]))
        if (one.name, one.version) in chosen
        else one
        for one in packages
    )


def _offered(
    sources: Sources, target: Target, settings: PackageSettings, cutoff: str | None, exempt: Collection[str]
) -> dict[tuple[str, str], IndexFile]:
    """The source packages of the named distributions, by name and version, whose versions have no wheel for the target."""
    found: dict[tuple[str, str], IndexFile] = {}
    for name, files in query_all(sources.names, settings).items():
        wheels = [wheel for file in files if (wheel := parse_wheel(file.filename)) is not None]
        built = {wheel.version for wheel in wheels if wheel.fits(target.python, target.platform)}
        usable = [file for file in files if _is_usable(file, target)]
        dated = [file for file in usable if cutoff is None or name in exempt or (file.upload_time or "") <= cutoff]
        for file in sorted(dated or usable, key=lambda file: not file.filename.endswith(".tar.gz")):
            source = source_of(file)
            if source is not None and not any(same_version(source[1], version) for version in built):
                found.setdefault((name, source[1]), file)
    return found


def _is_usable(file: IndexFile, target: Target) -> bool:
    return (
        source_of(file) is not None
        and file.sha256 is not None
        and not file.yanked
        and admits_python(file.requires_python or "", target.python)
    )


def _write_stub(folder: Path, name: str, version: str, file: IndexFile, requires: tuple[str, ...]) -> None:
    """Write a wheel with metadata only."""
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = [
        "Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}",
        *([f"Requires-Python: {' '.join(file.requires_python.split())}"] if file.requires_python else []),
        *(f"Requires-Dist: {one}" for one in requires),
    ]  # fmt: skip
    texts = {
        f"{stem}.dist-info/METADATA": "\n".join(metadata) + "\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{stem}.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        for path, text in texts.items():
            archive.writestr(path, text)


def _is_stub(package: LockedPackage, folder: Path) -> bool:
    places = (local_path(wheel.url) for wheel in package.wheels)
    return any(place is not None and place.resolve().parent == folder.resolve() for place in places)


def _locked(file: IndexFile) -> LockedWheel:
    return LockedWheel(filename=file.filename, url=file.url, sha256=str(file.sha256))
