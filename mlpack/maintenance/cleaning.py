"""What mlpack made on this machine, found and removed: Cleaner."""

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


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """A thing that mlpack made: `kind` is image, model, cache or folder; `size` in bytes (an image's layers may be shared)."""

    kind: str
    name: str
    size: int
    path: Path | None = None
    image: Image | None = None


@dataclass(frozen=True, kw_only=True)
class Cleaner:
    """Finds and removes what mlpack made: images of `engine`, `caches` (the user's, the shared one), the notes in `folder`."""

    engine: Callable[[], Engine]
    caches: tuple[Path, Path]
    folder: Path
    warn: Callable[[str], None]

    def find(self, *, images: bool, cache: bool, folder: bool, names: tuple[str, ...] = ()) -> list[Leftover]:
        """What there is of each kind; of the images only those of the named repositories, where some are named.

        Without an engine there are no images, and a warning.
        """
        found: list[Leftover] = []
        if images:
            try:
                found += [item for item in self._images() if not names or _named(item, names)]
            except EngineUnavailableError as error:
                self.warn(f"images are left out: {error.message}")
        own, shared = self.caches
        caches = [own, *([shared] if "MLPACK_CACHE" not in os.environ and os.access(shared, os.W_OK) else [])]
        places = [*(("cache", place, cache) for place in caches), ("folder", self.folder, folder)]
        found += [
            Leftover(kind=kind, name=str(path), size=_size(path), path=path)
            for kind, path, wanted in places
            if wanted and path.is_dir() and not path.is_symlink()
        ]
        return found

    def remove(self, item: Leftover) -> bool:
        """Remove one; an image that a container uses stays, with a warning."""
        try:
            if item.path is not None:
                shutil.rmtree(item.path)
            elif item.image is not None:
                self._remove_image(item.image)
        except (OSError, EngineError) as error:
            self.warn(f"{item.name} stays: {error.message if isinstance(error, EngineError) else error}")
            return False
        return True

    def _images(self) -> Iterator[Leftover]:
        """The images that mlpack built, and those that hold nothing but a large model."""
        for kind, label in (("image", labels.BUNDLE), ("model", labels.MODEL)):
            for image in self.engine().images(label=label):
                yield Leftover(kind=kind, name=(image.tags or (image.id[:19],))[0], size=image.size, image=image)

    def _remove_image(self, image: Image) -> None:
        """Remove all its names; when the engine keeps the last one, because it is in use, the others come back."""
        gone: list[str] = []
        try:
            for tag in image.tags or (image.id,):
                self.engine().remove_tag(tag)
                gone.append(tag)
        except EngineError:
            self.engine().tag(image, gone)
            raise


def _named(item: Leftover, names: tuple[str, ...]) -> bool:
    """Whether an image bears one of the names: a reference, its repository, or the repository's last part."""
    tags = item.image.tags if item.image else ()
    repositories = [tag.rpartition(":")[0] for tag in tags]
    return bool({*tags, *repositories, *(one.rpartition("/")[2] for one in repositories)} & set(names))


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() or path.is_symlink())
