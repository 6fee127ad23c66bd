"""The folder `.mlpack` in the working folder: receipts, the image built last, the service deployed last."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Verified
from mlpack.errors import NotVerifiedError

FOLDER = ".mlpack"
_MOST_COMMANDS = 100
_LONGEST_BODY = 4096  # in a command line that people copy


def cache_dir() -> Path:
    """The folder for cached lockfiles and environments: MLPACK_CACHE, else `mlpack` in the user's cache folder."""
    named = os.environ.get("MLPACK_CACHE")
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else (Path(home) if home else Path.home() / ".cache") / "mlpack"


@dataclass(frozen=True, kw_only=True)
class Built:
    """The image that was built last: its id and tags, and the mlpack.yaml of the build, if there was one."""

    image: str
    tags: tuple[str, ...]
    config: Path | None


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The service that was deployed last: its target, its name, and the settings that locate it."""

    target: str
    service: str
    where: Mapping[str, Any]


@dataclass(frozen=True)
class Workspace:
    """The files in `.mlpack` of one folder. They are written atomically; a malformed file counts as missing."""

    folder: Path

    def keep_receipt(self, verified: Verified, *, copy: Path | None = None) -> Path:
        """Write the receipt, and also to the file `copy`; return its path in the folder."""
        path = self.receipt_path(verified.image.id)
        text = json.dumps(verified.to_json(), indent=2) + "\n"
        write_atomically(path, text)
        if copy is not None:
            write_atomically(copy, text)
        return path

    def receipt_path(self, image_id: str) -> Path:
        """The path for the receipt of an image, by its config digest."""
        return self.folder / FOLDER / "receipts" / f"{image_id.removeprefix('sha256:')}.json"

    def has_receipt(self, image_id: str) -> bool:
        """Whether there is a receipt of the image, passed or failed."""
        return self.receipt_path(image_id).is_file()

    def receipt(self, image: Image, *, file: Path | None = None) -> Verified:
        """Read the passed receipt of exactly this image and platform, from `file` if given.

        Raises NotVerifiedError with the command that makes one.
        """
        path = file or self.receipt_path(image.id)
        name = image.tags[0] if image.tags else image.id
        hint = f"Run `mlpack test {name}` first, or use --no-verify to continue without a receipt."
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

    @property
    def request_file(self) -> Path:
        """The file for the body of the request that is shown last, if it is too long for a command line."""
        return self.folder / FOLDER / "request.json"

    def note_built(self, image: Image, *, config: Path | None, model: Path) -> None:
        """Record the image that was built last, the default of other commands."""
        self._write(
            "last.json",
            {
                "image": image.id,
                "tags": list(image.tags),
                "config": None if config is None else str(config),
                "model": str(model),
            },
        )

    def note_command(self, digest: str, size: int, command: str) -> None:
        """Record the command line that built a model, by the model's digest; `size` is in bytes."""
        known = {one: {"size": size, "command": command} for one, (command, size) in self.commands().items()}
        known.pop(digest, None)
        kept = list(known.items())[1 - _MOST_COMMANDS :]
        self._write("commands.json", dict([*kept, (digest, {"size": size, "command": command})]))

    def commands(self) -> dict[str, tuple[str, int]]:
        """The command lines that built models, with the models' sizes, by digest; the last one is the newest."""
        return {
            digest: (one["command"], one["size"])
            for digest, one in (self._read("commands.json") or {}).items()
            if isinstance(one, dict) and isinstance(one.get("command"), str) and isinstance(one.get("size"), int)
        }

    def last_built(self) -> Built | None:
        """The image that was built last, None if there is none."""
        record = self._read("last.json")
        if record is None or not isinstance(record.get("image"), str):
            return None
        tags, config = record.get("tags"), record.get("config")
        return Built(
            image=record["image"],
            tags=tuple(str(tag) for tag in tags) if isinstance(tags, list) else (),
            config=Path(config) if isinstance(config, str) and Path(config).is_file() else None,
        )

    def note_deployed(self, deployed: Deployed, *, ensemble: str = "") -> None:
        """Record the service that was deployed last, the default of other commands; or that of the ensemble of this name."""
        record = {"target": deployed.target, "service": deployed.service, "where": dict(deployed.where)}
        self._write(_deployed_file(ensemble), record)

    def last_deployed(self, *, ensemble: str = "") -> Deployed | None:
        """The service that was deployed last, or that of the ensemble of this name; None if there is none."""
        record = self._read(_deployed_file(ensemble))
        if record is None or not isinstance(record.get("target"), str):
            return None
        where = record.get("where")
        return Deployed(
            target=record["target"],
            service=str(record.get("service") or ""),
            where=where if isinstance(where, dict) else {},
        )

    def _write(self, name: str, record: Mapping[str, Any]) -> None:
        write_atomically(self.folder / FOLDER / name, json.dumps(record, indent=2) + "\n")

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            record = json.loads((self.folder / FOLDER / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None


def _deployed_file(ensemble: str) -> str:
    return f"ensembles/{ensemble}/deployed.json" if ensemble else "deployed.json"


def require_passed(verified: Verified, name: str) -> Verified:
    """Return the same if every check passed; else raise NotVerifiedError."""
    if not verified.report.ok:
        failed = ", ".join(check.name for check in verified.report.checks if not check.ok) or "no checks"
        raise NotVerifiedError(
            f"{name} failed its test: {failed}", hint="Correct the model or its settings, then build and test again."
        )
    return verified


def curl_data(body: Any, file: Path | None) -> str:
    """The words of a curl command that send a JSON body; a long body is written to `file`, None: it is never too long."""
    text = json.dumps(body)
    if file is not None and len(text) > _LONGEST_BODY:
        with suppress(OSError):  # a folder that cannot be written
            write_atomically(file, text + "\n")
            return f"-d {quote(f'@{os.path.relpath(file)}')}"
    return f"-d {quote(text)}"


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader finds either the old text or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
