"""Read a source package as data: its requirements, what builds it, and whether it needs a compiler. Nothing of it runs."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from packaging.requirements import InvalidRequirement, Requirement

from mlpack.errors import ResolveError
from mlpack.packages.settings.toml import load_toml

_LARGEST = 1024**3  # bytes of an unpacked source package
_LARGEST_FILE = 1024**2  # bytes of a file that is read
_MOST_FILES = 50_000
_COMPILED = (".c", ".cc", ".cpp", ".cxx", ".pyx")
# PEP 518: what a package without [build-system] is built with; older versions of setuptools ask for wheel while they run.
_SETUPTOOLS = ("setuptools>=40.8.0", "wheel")
_DAMAGED = (  # RuntimeError: an encrypted zip, or one of an unknown compression
    OSError, EOFError, ValueError, RuntimeError, zlib.error, tarfile.TarError, zipfile.BadZipFile,
)  # fmt: skip
_READ = ("PKG-INFO", "pyproject.toml")


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """What a source package says: the requirements of its wheel, those of its build, and whether it has code to compile."""

    requires: tuple[str, ...]
    tools: tuple[str, ...]
    compiles: bool


def read_source(path: Path) -> SourceFacts:
    """The facts of a `.tar.gz` or `.zip`. Raises ResolveError for a damaged or very large one."""
    files: dict[str, str] = {}
    compiles = False
    try:
        for number, (name, read) in enumerate(_members(path)):
            if number > _MOST_FILES:
                raise ResolveError(f"{path.name} has more than {_MOST_FILES} files", hint=_OWN)
            parts = PurePosixPath(name).parts
            compiles = compiles or name.endswith(_COMPILED)
            if len(parts) == 2 and parts[1] in _READ:
                files[parts[1]] = read()
            elif name.endswith(".egg-info/requires.txt"):
                files.setdefault("requires.txt", read())
    except _DAMAGED as error:
        raise ResolveError(f"{path.name} cannot be read as a source package: {error}", hint=_OWN) from None
    project = _toml(files.get("pyproject.toml", ""))
    return SourceFacts(requires=_requires(files, project), tools=_tools(project), compiles=compiles)


_OWN = "Build its wheel yourself (`pip wheel --no-deps`), and name its folder in PIP_FIND_LINKS."


def _requires(files: dict[str, str], project: dict[str, object]) -> tuple[str, ...]:
    """The requirements of the wheel, from the first of three places that has any."""
    listed = HeaderParser().parsestr(files.get("PKG-INFO", "")).get_all("Requires-Dist") or []
    declared = project.get("project")
    dependencies = declared.get("dependencies") if isinstance(declared, dict) else None
    places = (listed, list(_egg_requires(files.get("requires.txt", ""))), dependencies)
    for place in places:
        found = tuple(filter(None, map(_requirement, place if isinstance(place, list) else ())))
        if found:
            return found
    return ()


def _egg_requires(text: str) -> Iterator[str]:
    """The lines of setuptools' requires.txt; a section is `[extra]`, `[:marker]` or `[extra:marker]`."""
    marker = ""
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line.startswith("["):
            extra, _, condition = line.strip("[]").partition(":")
            conditions = [f'extra == "{extra}"'] if extra else []
            marker = " and ".join([*conditions, *([f"({condition})"] if condition else [])])
        else:
            yield f"{line}; {marker}" if marker else line


def _tools(project: dict[str, object]) -> tuple[str, ...]:
    """The requirements of the build, `[build-system] requires`."""
    system = project.get("build-system")
    requires = system.get("requires") if isinstance(system, dict) else None
    if not isinstance(system, dict) or not isinstance(requires, list):
        return _SETUPTOOLS
    found = tuple(filter(None, map(_requirement, requires)))
    is_setuptools = str(system.get("build-backend") or "setuptools").startswith("setuptools")
    return (*found, *_SETUPTOOLS) if is_setuptools else found


def _requirement(text: object) -> str | None:
    """A requirement without an address, in one line; None for anything else."""
    try:
        found = Requirement(str(text))
    except InvalidRequirement:
        return None
    return None if found.url else str(found)


def _toml(text: str) -> dict[str, object]:
    try:
        return load_toml(text)
    except (ValueError, RecursionError):
        return {}


class _Limited:
    """A stream that fails instead of unpacking more than `_LARGEST` bytes."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream, self._left = stream, _LARGEST

    def read(self, count: int = -1) -> bytes:
        data = self._stream.read(count)
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"it unpacks to more than {_LARGEST} bytes")
        return data


def _members(path: Path) -> Iterator[tuple[str, Callable[[], str]]]:
    """Each file's name with a function that reads it."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                yield info.filename, partial(_text, partial(archive.open, info))
        return
    with gzip.open(path) as stream, tarfile.open(fileobj=_Limited(stream), mode="r|") as tar:  # type: ignore[call-overload]
        for member in tar:
            if member.isfile():
                yield member.name, partial(_text, partial(tar.extractfile, member))


def _text(opened: Callable[[], IO[bytes] | None]) -> str:
    file = opened()
    return "" if file is None else file.read(_LARGEST_FILE).decode("utf-8", "replace")
