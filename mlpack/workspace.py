"""The folder `.mlpack` where the user works: receipts, the image that was built last, the service that was deployed last."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Verified
from mlpack.errors import NotVerifiedError

FOLDER = ".mlpack"


@dataclass(frozen=True, kw_only=True)
class Built:
    """The image that was built last: its id and tags, and the mlpack.yaml that it was built with, where there is one."""

    image: str
    tags: tuple[str, ...]
    config: Path | None


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The service that was deployed last: its target, its name, and the settings that find it again."""

    target: str
    service: str
    where: Mapping[str, Any]


@dataclass(frozen=True)
class Workspace:
    """The notes in `.mlpack` of one folder. A file is written as a whole; a broken one counts as none."""

    folder: Path

    def keep_receipt(self, verified: Verified, *, copy: Path | None = None) -> Path:
        """Write the receipt, and to `copy` too; gives its place in the folder."""
        place = self.receipt_path(verified.image.id)
        text = json.dumps(verified.to_json(), indent=2) + "\n"
        write_atomically(place, text)
        if copy is not None:
            write_atomically(copy, text)
        return place

    def receipt_path(self, image_id: str) -> Path:
        """Where the receipt of an image is kept, by its config digest."""
        return self.folder / FOLDER / "receipts" / f"{image_id.removeprefix('sha256:')}.json"

    def has_receipt(self, image_id: str) -> bool:
        """Whether a receipt of the image is kept here, whatever it says."""
        return self.receipt_path(image_id).is_file()

    def receipt(self, image: Image, *, file: Path | None = None) -> Verified:
        """The passing receipt of exactly this image and platform, from `file` when it is named.

        Raises NotVerifiedError with the command that makes one.
        """
        path = file or self.receipt_path(image.id)
        name = image.tags[0] if image.tags else image.id
        hint = f"Run `mlpack test {name}` first, or use --no-verify to go on without a receipt."
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            message = f"{name} has not been tested: there is no receipt for {image.id[:19]}"
            raise NotVerifiedError(message, hint=hint) from None
        except (OSError, ValueError) as error:
            raise NotVerifiedError(f"the receipt {path} cannot be read: {error}", hint=hint) from error
        try:
            verified = Verified.from_json(document, image)
        except ValueError as error:
            raise NotVerifiedError(f"the receipt {path} cannot be used: {error}", hint=hint) from error
        return require_passed(verified, name)

    def note_built(self, image: Image, *, config: Path | None, model: Path) -> None:
        """Note the image that was built last, for commands that name none."""
        self._write(
            "last.json",
            {
                "image": image.id,
                "tags": list(image.tags),
                "config": None if config is None else str(config),
                "model": str(model),
            },
        )

    def last_built(self) -> Built | None:
        """The image that was built last, None when none was."""
        note = self._read("last.json")
        if note is None or not isinstance(note.get("image"), str):
            return None
        tags, config = note.get("tags"), note.get("config")
        return Built(
            image=note["image"],
            tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
            config=Path(config) if isinstance(config, str) and Path(config).is_file() else None,
        )

    def note_deployed(self, deployed: Deployed) -> None:
        """Note the service that was deployed last, for commands that name none."""
        note = {"target": deployed.target, "service": deployed.service, "where": dict(deployed.where)}
        self._write("deployed.json", note)

    def last_deployed(self) -> Deployed | None:
        """The service that was deployed last, None when none was."""
        note = self._read("deployed.json")
        if note is None or not isinstance(note.get("target"), str):
            return None
        where = note.get("where")
        return Deployed(
            target=note["target"],
            service=str(note.get("service") or ""),
            where=where if isinstance(where, dict) else {},
        )

    def _write(self, name: str, note: Mapping[str, Any]) -> None:
        write_atomically(self.folder / FOLDER / name, json.dumps(note, indent=2) + "\n")

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            note = json.loads((self.folder / FOLDER / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return note if isinstance(note, dict) else None


def require_passed(verified: Verified, name: str) -> Verified:
    """The same, when every check passed; else raises NotVerifiedError."""
    if not verified.report.ok:
        failed = ", ".join(check.name for check in verified.report.checks if not check.ok) or "no checks"
        raise NotVerifiedError(f"{name} failed its test: {failed}", hint="Fix it, build it and test it again.")
    return verified


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old text or the new one, never a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
