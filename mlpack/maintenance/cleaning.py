"""Cleaner, which finds and removes what mlpack created on this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mlpack.artifacts import labels
from mlpack.artifacts.image import Image
from mlpack.engines.base import Engine
from mlpack.errors import EngineError, EngineUnavailableError

_SERVICES = "compose"  # in the folder .mlpack: the files of each deployed service, which nothing else knows


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that mlpack created: `kind` is image, model, cache or folder; `size` in bytes, with shared layers."""

    kind: str
    name: str
    size: int
    path: Path | None = None
    image: Image | None = None


@dataclass(frozen=True, kw_only=True)
class Cleaner:
    """Finds and removes images of `engine`, `caches` (the user's and the shared one), and the folder .mlpack (`folder`).

    The files of services that are deployed with Docker Compose stay: without them nothing could show or delete the service.
    """

    engine: Callable[[], Engine]
    caches: tuple[Path, Path]
    folder: Path
    warn: Callable[[str], None]

    def find(self, *, images: bool, cache: bool, folder: bool, names: tuple[str, ...] = ()) -> list[Leftover]:
        """Find the leftovers of the chosen kinds; with `names`, only images with these names.

        Without an engine, images are skipped with a warning.
        """
        found: list[Leftover] = []
        if images:
            try:
                found += [item for item in self._images() if not names or _named(item, names)]
            except EngineUnavailableError as error:
                self.warn(f"images are skipped: {error.message}")
        own, shared = self.caches
        caches = [own, *([shared] if "MLPACK_CACHE" not in os.environ and os.access(shared, os.W_OK) else [])]
        places = [*(("cache", place, cache) for place in caches), ("folder", self.folder, folder)]
        found += [
            Leftover(kind=kind, name=str(path), size=sum(map(_size, _parts(kind, path))), path=path)
            for kind, path, wanted in places
            if wanted and path.is_dir() and not path.is_symlink() and _parts(kind, path)
        ]
        for service in _services(self.folder) if folder else ():
            self.warn(
                f"{service} stays: it belongs to a deployed service, which `mlpack delete` removes with its files"
            )
        return found

    def remove(self, item: Leftover) -> bool:
        """Remove one leftover; return False with a warning if that fails, such as for an image in use."""
        try:
            if item.path is not None:
                for part in _parts(item.kind, item.path):
                    if part.is_dir() and not part.is_symlink():
                        shutil.rmtree(part)
                    else:
                        part.unlink()
            elif item.image is not None:
                self._remove_image(item.image)
        except (OSError, EngineError) as error:
            self.warn(f"{item.name} is not removed: {error.message if isinstance(error, EngineError) else error}")
            return False
        return True

    def _images(self) -> Iterator[Leftover]:
        """The images that mlpack built, and those that contain only a large model."""
        for kind, label in (("image", labels.BUNDLE), ("model", labels.MODEL)):
            for image in self.engine().images(label=label):
                yield Leftover(kind=kind, name=(image.tags or (image.id[:19],))[0], size=image.size, image=image)

    def _remove_image(self, image: Image) -> None:
        """Remove all tags of the image. If the engine refuses one, because the image is in use, restore the others."""
        removed: list[str] = []
        try:
            for tag in image.tags or (image.id,):
                self.engine().remove_tag(tag)
                removed.append(tag)
        except EngineError:
            self.engine().tag(image, removed)
            raise


def _named(item: Leftover, names: tuple[str, ...]) -> bool:
    """Whether an image has one of the names: as a reference, as its repository, or as the repository's last part."""
    tags = item.image.tags if item.image else ()
    repositories = [tag.rpartition(":")[0] for tag in tags]
    return bool({*tags, *repositories, *(one.rpartition("/")[2] for one in repositories)} & set(names))


def _parts(kind: str, path: Path) -> list[Path]:
    """What is removed of a folder: the folder itself, or all but the files of services."""
    if kind != "folder" or not _services(path):
        return [path]
    return sorted(part for part in path.iterdir() if part.name != _SERVICES)


def _services(folder: Path) -> list[Path]:
    place = folder / _SERVICES
    return sorted(one for one in place.iterdir() if one.is_dir()) if place.is_dir() else []


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() and not path.is_symlink() else (path,)
    return sum(file.lstat().st_size for file in files if file.is_file() or file.is_symlink())
