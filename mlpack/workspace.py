"""Receipts: the JSON proof that an image passed its checks, where it is kept, and the gate that asks for it."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Verified
from mlpack.artifacts.report import Check, Report
from mlpack.errors import NotVerifiedError

FOLDER = ".mlpack"


def write_receipt(verified: Verified, folder: Path, *, file: Path | None = None) -> Path:
    """Writes the receipt under the working folder's `.mlpack/receipts/`, and to `file` too; gives the first place."""
    target = receipt_path(folder, verified.image.id)
    text = json.dumps(verified.to_json(), indent=2) + "\n"
    write_whole(target, text)
    if file is not None:
        write_whole(file, text)
    return target


def receipt_path(folder: Path, image_id: str) -> Path:
    """Where the receipt of an image lies: by its config digest."""
    return folder / FOLDER / "receipts" / f"{image_id.removeprefix('sha256:')}.json"


def require_receipt(image: Image, folder: Path, *, file: Path | None = None) -> dict[str, Any]:
    """The passing receipt of exactly this image and platform; raises NotVerifiedError with the command that mends it."""
    path = file or receipt_path(folder, image.id)
    name = image.tags[0] if image.tags else image.id
    hint = f"Run `mlpack test {name}` first, or say --no-verify to go without."
    try:
        receipt = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotVerifiedError(f"{name} has not been tested: no receipt for {image.id[:19]}", hint=hint) from None
    except (OSError, ValueError) as error:
        raise NotVerifiedError(f"the receipt {path} cannot be read: {error}", hint=hint) from error
    if not isinstance(receipt, dict) or receipt.get("image") != image.id or receipt.get("platform") != image.platform:
        raise NotVerifiedError(f"the receipt {path} is for another image or platform", hint=hint)
    return passing(image, receipt, name)


def passing(image: Image, receipt: dict[str, Any], name: str) -> dict[str, Any]:
    """The receipt, when it is the image's and every check of it passed; else raises NotVerifiedError."""
    if receipt.get("image") != image.id or receipt.get("platform") != image.platform:
        raise NotVerifiedError(f"the receipt of {name} is for another image or platform", hint=f"`mlpack test {name}`.")
    report = report_of(receipt)
    if not report.ok:
        failed = ", ".join(check.name for check in report.checks if not check.ok) or "no checks"
        raise NotVerifiedError(f"{name} failed its test: {failed}", hint="Mend it, build it and test it again.")
    return receipt


def report_of(receipt: dict[str, Any]) -> Report:
    """The report inside a receipt; what does not fit counts as no check at all."""
    data = receipt.get("report")
    data = data if isinstance(data, dict) else {}
    checks = [check for check in data.get("checks") or [] if isinstance(check, dict)]
    return Report(
        checks=tuple(
            Check(
                name=str(check.get("name")),
                ok=check.get("ok") is True,
                seconds=float(check.get("seconds") or 0),
                detail=str(check.get("detail", "")),
                hint=str(check.get("hint", "")),
            )
            for check in checks
        ),
        cold_start_ms=data.get("cold_start_ms"),
        latency_ms=data.get("latency_ms") or {},
        peak_memory_mb=data.get("peak_memory_mb"),
        image_size=int(data.get("image_size") or 0),
        golden=data.get("golden") if isinstance(data.get("golden"), dict) else None,
    )


def remember_last(image: Image, folder: Path, *, config: Path | None, model: Path) -> None:
    """Notes the image that was built last in the working folder, for `mlpack test` and `push` without a name."""
    note = {
        "image": image.id,
        "tags": list(image.tags),
        "config": None if config is None else str(config),
        "model": str(model),
    }
    write_whole(folder / FOLDER / "last.json", json.dumps(note, indent=2) + "\n")


def last_built(folder: Path) -> dict[str, Any] | None:
    """What `remember_last` noted, None when there is nothing readable."""
    try:
        note = json.loads((folder / FOLDER / "last.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) and isinstance(note.get("image"), str) else None


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old one or the new one, never half."""
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
