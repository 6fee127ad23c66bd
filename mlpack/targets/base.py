"""The two interfaces of a deployment target: Target releases a service, Keeper manages an existing one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Released
from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Live, Place, Plan, Service, Staged

OnStep = Callable[[str], None]  # called with a short description of the current step


@dataclass(frozen=True, kw_only=True)
class Home:
    """The project and region whose own registry a target takes its images from."""

    project: str
    region: str


class Target(Protocol):
    """Releases an image in steps; each step can be rolled back until the last one is verified."""

    platform: str | None  # the only one that it runs, None for the engine's own
    home: Home | None  # None: the image stays on the engine that built it
    service: str
    where: Mapping[str, str]  # what a later command needs beside the service's name to find it again

    def plan(self, image: Image, report: Report | None, reference: str) -> Plan:
        """What will change if the image, known by `reference` once it is pushed, is released; changes nothing."""

    def stage(self, plan: Plan, released: Released, on_step: OnStep) -> Staged:
        """Start the release without traffic, until it is ready. Raises DeployError; then call `restore`."""

    def promote(self, plan: Plan, staged: Staged, on_step: OnStep) -> Live:
        """Move the traffic to the staged release, or make a first release public."""

    def restore(self, plan: Plan, on_step: OnStep) -> str:
        """Roll back to the state before the plan; return a description of what was restored, "" for nothing.

        Raises DeployStateError, which describes the remaining state, if the rollback fails.
        """


class Keeper(Protocol):
    """Manages an existing service; raises DeployError (code `deploy_missing`) if it does not exist."""

    def status(self) -> Service:
        """The service with its current and earlier revisions."""

    def route(self, shares: Mapping[str, int], on_step: OnStep) -> Service:
        """Split the traffic between revisions by percent (100 in all); return the new state."""

    def delete(self, on_step: OnStep) -> None:
        """Delete the service."""

    def place(self) -> Place:
        """The address of the service."""


class Kind(Protocol):
    """The plugin of a target: makes a Target for a service from the target's section in mlpack.yaml."""

    def __call__(self, name: str, corner: Mapping[str, Any], *, folder: Path, templates: Path | None) -> Any:
        """The Target, which is also a Keeper; raises ConfigError for invalid settings.

        `folder` is the working folder, `templates` that of the user's own.
        """
