"""The model's files in the bundle: hashed while they are streamed, with names that need no quoting."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from mlpack.artifacts.bundle_file import BundleFile, files_digest
from mlpack.artifacts.model import ModelInfo
from mlpack.errors import ModelError
from mlpack.readers.archives.trees import open_tree
from mlpack.readers.bundle_files import bytes_of
from mlpack.readers.limits import CutOffError

OnBytes = Callable[[int, int], None]


def model_files(info: ModelInfo, on_bytes: OnBytes | None) -> Iterator[BundleFile]:
    """Every file of the model below `model/`, sorted by name. The original name is recorded in the card.

    Raises ModelError for a file that cannot be read.
    """
    try:
        found = list(_found(info))
        total, done = sum(max(file.size, 0) for file in found), 0
        for file in found:
            digest, size = hashlib.sha256(), 0
            for chunk in bytes_of(file):
                digest.update(chunk)
                size += len(chunk)
                if on_bytes is not None:
                    on_bytes(done + size, max(total, done + size))
            done += size
            yield replace(file, size=size, sha256=digest.hexdigest())
    except (OSError, CutOffError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ModelError(
            f"cannot read {info.path}: {why}", hint="Do not move or change the file while it is packed; then try again."
        ) from error


def digest_of(files: Sequence[BundleFile]) -> str:
    """The SHA-256 of a model: of its only file, or of the list of its files."""
    return files[0].sha256 if len(files) == 1 else files_digest(files, "").removeprefix("sha256:")


def model_root(info: ModelInfo) -> str:
    """The model's path in the bundle: `model/` and the name of its file or folder."""
    return f"model/{_safe(info.packed.rpartition('/')[2] if info.packed else _stem(info))}"


def _found(info: ModelInfo) -> Iterator[BundleFile]:
    """The files, not hashed yet; members of an archive are extracted one at a time."""
    root = model_root(info)
    if info.packed is None and info.path.is_file():
        yield _unread(root, info.path, info.path.stat().st_size)
        for name in info.companions:
            beside = info.path.parent / name
            yield _unread(f"model/{name}", beside.resolve(), beside.stat().st_size)
        return
    tree = open_tree(info.path)
    if tree is None:
        return
    if info.packed and info.packed in tree:
        yield _unread(root, info.path, tree.sizes[info.packed], info.packed)
        for name in info.companions:
            member = (PurePosixPath(info.packed).parent / name).as_posix()
            yield _unread(f"model/{name}", info.path, tree.sizes[member], member)
        return
    inside = tree.below(info.packed or "")
    for name, size in inside.sizes.items():
        if inside.container == "folder":
            yield _unread(f"{root}/{name}", (info.path / name).resolve(), size)
        else:
            yield _unread(f"{root}/{name}", info.path, size, inside.prefix + name)


def _unread(name: str, source: Path, size: int, member: str | None = None) -> BundleFile:
    return BundleFile(name=name, size=size, sha256="", source=source, member=member)


def _stem(info: ModelInfo) -> str:
    """The name of the file or folder; for an archive, without its archive suffix."""
    if info.packed is None:
        return info.path.name
    return re.sub(r"\.(zip|tar|tgz|tbz2?|txz|tar\.\w+)$", "", info.path.name, flags=re.IGNORECASE)


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "_", name).lstrip("._") or "model"
