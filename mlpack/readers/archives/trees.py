"""Tree: the files of a folder on disk or in an archive, with their names, sizes and bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Literal

from mlpack.readers.archives.tars import HEAD, is_tar, tar_members
from mlpack.readers.archives.zips import MAGICS as ZIP
from mlpack.readers.archives.zips import ZipMember, open_member, read_directory
from mlpack.readers.encodings.safetensors import looks_like_safetensors
from mlpack.readers.limits import Budget, CutOffError, Limits
from mlpack.readers.streams import CHUNK, ChunkSource, FileSource, Source, compression_of, peek, unpacked

Container = Literal["folder", "zip", "tar", "packed"]
_MOST_FILES = 100_000


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The files below a root by POSIX name, sorted, with their sizes in bytes (-1 when not known yet).

    `container` is a folder, a zip, a tar (also compressed), or `packed`: one compressed file. `prefix` is the path of the
    root in it ("" or ending in /). `problem` says why the listing is incomplete; `escaping` lists members whose names
    point outside the extraction folder, which are never extracted.
    """

    path: Path
    container: Container
    sizes: Mapping[str, int]
    prefix: str = ""
    compression: str | None = None
    escaping: tuple[str, ...] = ()
    problem: str = ""
    members: Mapping[str, ZipMember] = field(default_factory=dict, repr=False)

    def __contains__(self, name: str) -> bool:
        return name in self.sizes

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all files below the root, sorted."""
        return tuple(self.sizes)

    def below(self, folder: str) -> Tree:
        """The subtree of a folder ("" is the tree itself)."""
        if not folder:
            return self
        start = folder.rstrip("/") + "/"
        inside = {name[len(start) :]: size for name, size in self.sizes.items() if name.startswith(start)}
        return replace(self, sizes=inside, prefix=self.prefix + start)

    @contextmanager
    def open(self, name: str) -> Iterator[Source]:
        """A file's bytes as a forward stream; reading raises CutOffError for broken or truncated data and for bombs.

        Raises CutOffError when the container cannot be opened again, KeyError for an unknown name.
        """
        if name not in self.sizes:
            raise KeyError(name)
        whole = self.prefix + name
        if self.container == "folder":
            with (self.path / whole).open("rb") as file:
                yield FileSource(file, 0, self.sizes[name])
            return
        with self.path.open("rb") as file:
            budget = Budget(Limits(), self.path.stat().st_size)
            if self.container == "zip":
                yield open_member(file, self.members[whole], budget)
            elif self.container == "packed":
                yield _decompressed(file, self.path, self.compression or "", budget)
            else:
                yield ChunkSource(_tar_member(file, self.path, self.compression, whole, budget), budget)

    def read(self, name: str, limit: int) -> bytes:
        """At most the first `limit` bytes of a file; raises the same errors as `open`."""
        with self.open(name) as source:
            return peek(source, limit)[0]

    def stream(self, name: str) -> Iterator[bytes]:
        """A file's bytes in chunks; raises the same errors as `open`."""
        with self.open(name) as source:
            while chunk := source.read(CHUNK * 4):
                yield chunk


def open_tree(path: Path) -> Tree | None:
    """The files in a folder, a zip, a tar or a compressed file; None for any other file.

    Nothing is extracted to disk. Links in a folder are followed only inside it; devices, pipes and links of a tar are left
    out. A directory that cannot be read to the end results in a tree with a `problem`. Raises OSError.
    """
    if path.is_dir():
        return _folder(path)
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        if head[:4] in ZIP:
            return _zip(path, file, size)
        if is_tar(head):
            return _tar(path, file, None, size)
        compression = compression_of(head)
        if compression is None or compression == "zfile" or looks_like_safetensors(head, size):
            return None
        return _compressed(path, file, compression, size)


def _folder(path: Path) -> Tree:
    root = path.resolve()
    sizes: dict[str, int] = {}
    escaping: list[str] = []
    problem = ""
    for folder, folders, files in os.walk(path):  # links to folders are not followed
        folders.sort()
        for item in sorted(Path(folder) / name for name in (*folders, *files)):
            name = item.relative_to(path).as_posix()
            if item.is_symlink() and not _is_inside(item, root):
                escaping.append(name)
            elif item.is_file():
                sizes[name] = item.stat().st_size
        if len(sizes) > _MOST_FILES:
            problem = f"the folder contains more than {_MOST_FILES} files"
            break
    return Tree(
        path=path, container="folder", sizes=dict(sorted(sizes.items())), escaping=tuple(escaping), problem=problem
    )


def _is_inside(link: Path, root: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # a link loop
        return False


def _zip(path: Path, file: BinaryIO, size: int) -> Tree:
    directory = read_directory(file, size, Limits().members)
    if directory.problem:
        return Tree(path=path, container="zip", sizes={}, problem=directory.problem)
    found = directory.members
    members = {one.name: one for one in found if not one.escapes and not one.name.endswith("/")}
    return Tree(
        path=path,
        container="zip",
        sizes={name: members[name].whole for name in sorted(members)},
        escaping=tuple(one.name for one in found if one.escapes),
        members=members,
    )


def _tar(path: Path, file: BinaryIO, compression: str | None, size: int) -> Tree:
    sizes: dict[str, int] = {}
    escaping: list[str] = []
    problem = ""
    source = _decompressed(file, path, compression, Budget(Limits(), size)) if compression else None
    try:
        for member in tar_members(file, source):
            if member.name is None:
                escaping.append(member.written)
            else:
                sizes[member.name] = member.size
    except CutOffError as stopped:
        problem = str(stopped)
    return Tree(
        path=path,
        container="tar",
        sizes=dict(sorted(sizes.items())),
        compression=compression,
        escaping=tuple(escaping),
        problem=problem,
    )


def _compressed(path: Path, file: BinaryIO, compression: str, size: int) -> Tree | None:
    """A compressed tar, or a single compressed file under its original name."""
    try:
        head, _ = peek(_decompressed(file, path, compression, Budget(Limits(), size)), HEAD)
    except CutOffError as stopped:
        return Tree(path=path, container="packed", sizes={}, compression=compression, problem=str(stopped))
    if is_tar(head):
        return _tar(path, file, compression, size)
    return Tree(path=path, container="packed", sizes={path.stem or path.name: -1}, compression=compression)


def _decompressed(file: BinaryIO, path: Path, compression: str, budget: Budget) -> Source:
    return unpacked(FileSource(file, 0, path.stat().st_size), compression, budget)


def _tar_member(file: BinaryIO, path: Path, compression: str | None, wanted: str, budget: Budget) -> Iterator[bytes]:
    source = _decompressed(file, path, compression, budget) if compression else None
    for member in tar_members(file, source):
        if member.name == wanted:
            while chunk := member.source.read(CHUNK):
                yield chunk
            return
