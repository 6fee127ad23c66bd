"""What `mlpack clean` finds and how each goes away."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from mlpack.cli.console import Console
from mlpack.cli.context import cache_dir, make_context
from mlpack.errors import EngineError, EngineUnavailableError


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A thing that mlpack made: `kind` is image, cache or folder; `size` in bytes (an image's layers may be shared)."""

    kind: str
    name: str
    size: int
    path: Path | None = None
    tags: tuple[str, ...] = ()


def find(console: Console, *, images: bool, cache: bool, folder: bool) -> list[Leftover]:
    """What there is of each kind; no engine means no images, and a note."""
    found: list[Leftover] = []
    if images:
        try:
            found += [
                Leftover(
                    kind="image",
                    name=(image.tags or (image.id[:19],))[0],
                    size=image.size,
                    tags=image.tags or (image.id,),
                )
                for image in make_context(None, console=console).engine.images()
            ]
        except EngineUnavailableError as error:
            console.warn(f"images are left out: {error.message}")
    places = [("cache", cache_dir(), cache), ("folder", Path.cwd() / ".mlpack", folder)]
    found += [
        Leftover(kind=kind, name=str(path), size=_size(path), path=path)
        for kind, path, wanted in places
        if wanted and path.is_dir() and not path.is_symlink()
    ]
    return found


def remove(console: Console, item: Leftover) -> bool:
    """Removes one; an image that a container uses stays, and is told."""
    try:
        if item.path is not None:
            shutil.rmtree(item.path)
        else:
            engine = make_context(None, console=console).engine
            for tag in item.tags:
                engine.remove_tag(tag)
    except (OSError, EngineError) as error:
        console.warn(f"{item.name} stays: {error}")
        return False
    return True


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() or path.is_symlink())
