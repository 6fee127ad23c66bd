"""An image on its way out: Verified by its checks, then Released to a registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.report import Report


@dataclass(frozen=True, kw_only=True)
class Verified:
    """An image with the report of its checks. Its JSON is the receipt; `time` is RFC 3339, UTC."""

    image: Image
    report: Report
    mlpack_version: str
    time: str

    def to_json(self) -> dict[str, Any]:
        """The receipt as plain JSON values."""
        return {
            "schema": 1,
            "image": self.image.id,
            "platform": self.image.platform,
            "tags": list(self.image.tags),
            "bundle": self.image.labels.get("dev.mlpack.bundle", ""),
            "report": self.report.to_json(),
            "mlpack": self.mlpack_version,
            "time": self.time,
        }


@dataclass(frozen=True, kw_only=True)
class Released:
    """An image in a registry, named by digest (`host/repo@sha256:...`), with the report that let it through.

    `report` is None only after `--no-verify`.
    """

    reference: str
    digest: str
    tags: tuple[str, ...]
    image: Image
    report: Report | None
