"""An image on its way out: Verified by its checks (or Unverified), Planned for a target, Released to a registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlpack.artifacts import labels
from mlpack.artifacts.image import Image
from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Plan


@dataclass(frozen=True, kw_only=True)
class Verified:
    """An image with the passing or failing report of its checks. Its JSON is the receipt; `time` is RFC 3339, UTC."""

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
            "bundle": self.image.labels.get(labels.BUNDLE, ""),
            "report": self.report.to_json(),
            "mlpack": self.mlpack_version,
            "time": self.time,
        }

    @classmethod
    def from_json(cls, document: Any, image: Image) -> Verified:
        """The receipt of this image, read back; raises ValueError for another image's, another platform's, or no receipt."""
        if not isinstance(document, dict):
            raise ValueError("it is not a receipt")  # noqa: TRY004 - the document is wrong, not the caller
        if document.get("image") != image.id or document.get("platform") != image.platform:
            raise ValueError("it is for another image or platform")
        return cls(
            image=image,
            report=Report.from_json(document.get("report")),
            mlpack_version=str(document.get("mlpack", "")),
            time=str(document.get("time", "")),
        )


@dataclass(frozen=True, kw_only=True)
class Unverified:
    """An image that goes out without a receipt, because the user said so: `reason` names the option."""

    image: Image
    reason: str = "--no-verify"

    @property
    def report(self) -> None:
        """None: nothing was checked."""
        return


@dataclass(frozen=True, kw_only=True)
class Released:
    """An image where a target takes it from, named by digest (`host/repo@sha256:...`), and what is known of its checks.

    `plan` is what a deploy will do with it, None for one that is only pushed.
    """

    reference: str
    digest: str
    tags: tuple[str, ...]
    source: Verified | Unverified
    plan: Plan | None = None

    @property
    def image(self) -> Image:
        """The image."""
        return self.source.image

    @property
    def report(self) -> Report | None:
        """The report of its checks, None for an unverified image."""
        return self.source.report


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A deploy that was planned and, when it changes anything, agreed to; nothing was changed yet.

    `source` is Released when the image is in its registry already.
    """

    plan: Plan
    source: Verified | Unverified | Released
