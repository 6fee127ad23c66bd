"""What `mlpack clean` finds and how each goes away."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlpack.artifacts.image import Image
from mlpack.cli.local import SHARED_CACHE
from mlpack.cli.output.console import Console
from mlpack.cli.wiring import cache_dir, make_context
from mlpack.errors import EngineError, EngineUnavailableError


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A thing that mlpack made: `kind` is image, model, cache or folder; `size` in bytes (an image's layers may be shared)."""

    kind: str
    name: str
    size: int
    path: Path | None = None
    image: Image | None = None


def find(console: Console, *, images: bool, cache: bool, folder: bool, names: tuple[str, ...] = ()) -> list[Leftover]:
    """What there is of each kind; of the images those of the named repositories alone, where some are named.

    No engine means no images, and a note.
    """
    found: list[Leftover] = []
    if images:
        try:
            found += [item for item in _images(console) if not names or _named(item, names)]
        except EngineUnavailableError as error:
            console.warn(f"images are left out: {error.message}")
    shared = "MLPACK_CACHE" not in os.environ and os.access(SHARED_CACHE, os.W_OK)
    caches = [cache_dir(), *([SHARED_CACHE] if shared else [])]
    places = [*(("cache", place, cache) for place in caches), ("folder", Path.cwd() / ".mlpack", folder)]
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
        elif item.image is not None:
            _remove_image(console, item.image)
    except OSError as error:
        console.warn(f"{item.name} stays: {error}")
        return False
    except EngineError as error:
        console.warn(f"{item.name} stays: {error.message}")
        return False
    return True


def _images(console: Console) -> Iterator[Leftover]:
    """The images that mlpack built, and those that hold a large model alone."""
    from mlpack.engines.docker.images import BUNDLE_LABEL
    from mlpack.engines.docker.model_image import MODEL_LABEL

    engine = make_context(None, console=console).engine
    for kind, label in (("image", BUNDLE_LABEL), ("model", MODEL_LABEL)):
        for image in engine.images(label=label):
            yield Leftover(kind=kind, name=(image.tags or (image.id[:19],))[0], size=image.size, image=image)


def _named(item: Leftover, names: tuple[str, ...]) -> bool:
    """Whether an image bears one of the names: a reference, its repository, or the repository's last part."""
    tags = item.image.tags if item.image else ()
    repositories = [tag.rpartition(":")[0] for tag in tags]
    return bool({*tags, *repositories, *(one.rpartition("/")[2] for one in repositories)} & set(names))


def _remove_image(console: Console, image: Image) -> None:
    """Takes all its names away; when the engine will not let go of the last one, the others come back."""
    engine = make_context(None, console=console).engine
    gone: list[str] = []
    try:
        for tag in image.tags or (image.id,):
            engine.remove_tag(tag)
            gone.append(tag)
    except EngineError:
        engine.tag(image, gone)
        raise


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() or path.is_symlink())
