"""A built image as people see it."""

from __future__ import annotations

from mlpack.artifacts.image import Image
from mlpack.cli.output.console import Console
from mlpack.shown import human_seconds, human_size


def show_image(console: Console, image: Image, reasons: tuple[str, ...]) -> None:
    """The summary table."""
    rows = [("image" if tag == image.tags[0] else "", tag) for tag in image.tags]
    rows += [("id", image.id), ("size", human_size(image.size))]
    rows += [("" if number else "because", reason) for number, reason in enumerate(reasons)]
    rows.append(("took", human_seconds(image.seconds) + (", nothing had changed" if image.cached else "")))
    console.table(rows, styles=("bold", ""))
