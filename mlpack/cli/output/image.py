"""How a built image looks to a person and to a script."""

from __future__ import annotations

from typing import Any

from mlpack.artifacts.image import Image
from mlpack.cli.output.console import Console, human_seconds, human_size


def document(image: Image) -> dict[str, Any]:
    """The JSON document: id, tags, size (bytes), seconds, cached."""
    return {
        "id": image.id,
        "tags": list(image.tags),
        "size": image.size,
        "seconds": round(image.seconds, 3),
        "cached": image.cached,
    }


def show(console: Console, image: Image, reasons: tuple[str, ...]) -> None:
    """The summary table."""
    rows = [("image" if tag == image.tags[0] else "", tag) for tag in image.tags]
    rows += [("id", image.id), ("size", human_size(image.size))]
    rows += [("" if number else "because", reason) for number, reason in enumerate(reasons)]
    rows.append(("took", human_seconds(image.seconds) + (", nothing had changed" if image.cached else "")))
    console.table(rows, styles=("bold", ""))
