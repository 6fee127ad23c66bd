"""The two small interfaces of a place where services live: Target releases, Keeper looks after what is there."""

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
    """Takes a release in four steps, of which each can be undone until the last is proven."""

    platform: str | None  # the only one that it runs, None for the engine's own
    home: Home | None  # None: the image stays on the engine that built it
    service: str
    where: Mapping[str, str]  # what a later command needs beside the service's name to find it again

    def plan(self, image: Image, report: Report | None, reference: str) -> Plan:
        """What will change if the image, known by `reference` once it is pushed, is released; changes nothing."""

    def stage(self, plan: Plan, released: Released, on_step: OnStep) -> Staged:
        """The release up and ready, without traffic. Raises DeployError; `restore` then clears up."""

    def promote(self, plan: Plan, staged: Staged, on_step: OnStep) -> Live:
        """The traffic on the staged release, or the door of a first one opened."""

    def restore(self, plan: Plan, on_step: OnStep) -> str:
        """Everything as it was before the plan, whatever has happened since; says what was put back, "" for nothing.

        Raises DeployStateError when it cannot, saying what is left.
        """


class Keeper(Protocol):
    """Looks after a service that is there; raises DeployError (code `deploy_missing`) when it is not."""

    def status(self) -> Service:
        """What serves now, and what served before."""

    def route(self, shares: Mapping[str, int], on_step: OnStep) -> Service:
        """Gives the traffic to revisions by percent (together 100), and tells how it is then."""

    def delete(self, on_step: OnStep) -> None:
        """Delete the service."""

    def place(self) -> Place:
        """The address of the service."""


class Kind(Protocol):
    """What stands in the plug table for a target: makes one for a service from the target's section in mlpack.yaml."""

    def __call__(self, name: str, corner: Mapping[str, Any], *, folder: Path, templates: Path | None) -> Any:
        """The Target, which is a Keeper too; raises ConfigError for a corner that does not fit.

        `folder` is the working folder, `templates` that of the user's own.
        """
