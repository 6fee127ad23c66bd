"""An image from its test to its release: Verified (or Unverified), Planned, Released; and Release, for a target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts import labels
from mlpack.artifacts.image import Image
from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Plan
from mlpack.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Verified:
    """An image with the report of its checks. Its JSON is the receipt; `time` is RFC 3339, UTC.

    Failed checks are in the report too: the receipt of a failed test is kept, and every later step refuses it. `members` are
    the ids of the images that the coordinator of an ensemble was tested with, by the members' names.
    """

    image: Image
    report: Report
    mlpack_version: str
    time: str
    members: Mapping[str, str] = field(default_factory=dict)

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
            **({"members": dict(self.members)} if self.members else {}),
        }

    @classmethod
    def from_json(cls, document: Any, image: Image) -> Verified:
        """Parse the receipt of this image; raises ValueError if it is invalid, or for another image or platform."""
        if not isinstance(document, dict):
            raise ValueError("it is not a receipt")  # noqa: TRY004 - the document is wrong, not the caller
        if document.get("image") != image.id or document.get("platform") != image.platform:
            raise ValueError("it is for another image or platform")
        members = document.get("members", {})
        if not isinstance(members, dict):
            raise ValueError("its members are not names with images")  # noqa: TRY004 - as above
        return cls(
            image=image,
            report=Report.from_json(document.get("report")),
            mlpack_version=str(document.get("mlpack", "")),
            time=str(document.get("time", "")),
            members={str(name): str(one) for name, one in members.items()},
        )


@dataclass(frozen=True, kw_only=True)
class Unverified:
    """An image that is released without a receipt; `reason` is the user's option for it."""

    image: Image
    reason: str = "--no-verify"

    @property
    def report(self) -> None:
        """None: nothing was checked."""
        return


@dataclass(frozen=True, kw_only=True)
class Component:
    """One container of a service: its image, and the `reference` by which the target pulls or finds it.

    `report` is that of the image's checks, None for an unverified image. `reference` has a digest after the image is pushed.
    In an ensemble, `member` is the name by which the coordinator calls the component; "" for the coordinator itself. The
    coordinator is not ready without its `required` members. `settings` are those of this component alone, by the target's
    keys.

    Where each component is a service of its own: `env` are variables that this one needs beside those of the settings (None
    removes one of an earlier release); they hold no secrets. `callers` are the identities of other services that may send
    requests to it. `calls` are the services that it calls, with the revision of each that belongs to this release.
    """

    name: str
    image: Image
    report: Report | None
    reference: str
    member: str = ""
    required: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str | None] = field(default_factory=dict)
    callers: tuple[str, ...] = ()
    calls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Release:
    """What a target runs as one service: one component for a model, several for an ensemble."""

    components: tuple[Component, ...]

    def single(self, target: str) -> Component:
        """The only component. Raises UsageError for several, which this target cannot run as one service."""
        if len(self.components) != 1:
            names = ", ".join(component.name for component in self.components)
            raise UsageError(
                f"the target {target} runs one container per service, and this release has {len(self.components)}: {names}",
                hint="Deploy each model as its own service, or use a target that runs several containers.",
            )
        return self.components[0]


@dataclass(frozen=True, kw_only=True)
class Released:
    """An image by digest (`host/repo@sha256:...`), where a target can pull it, with the report of its checks.

    `plan` is that of its deployment, None for an image that is only pushed.
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

    @property
    def release(self) -> Release:
        """The release of this image alone."""
        return release_of(self.source, self.reference)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A deployment that is planned; nothing was changed yet.

    `source` is Released if the image is already in its registry.
    """

    plan: Plan
    source: Verified | Unverified | Released


def release_of(source: Verified | Unverified, reference: str) -> Release:
    """The release of one image; `reference` is its name now, or after the push."""
    name = str(source.image.card.get("name") or "model")
    return Release(components=(Component(name=name, image=source.image, report=source.report, reference=reference),))
