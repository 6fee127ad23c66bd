"""The interface of a deployment target, which releases a service and manages it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

from mlpack.artifacts.release import Release
from mlpack.artifacts.service import Endpoint, Live, Plan, Service, Staged
from mlpack.registries.destinations import OwnRegistry
from mlpack.targets.settings import TargetOption, TargetSettings

OnStep = Callable[[str], None]  # called with a short description of the current step


class Target(Protocol):
    """A service at one place where services run.

    A release goes through `plan`, `stage` and `promote`; `restore` rolls it back until the last one is verified. The other
    methods manage an existing service and raise DeployError (code `deploy_missing`) if it does not exist.
    """

    name: ClassVar[str]  # that of `--target NAME`, of the section in mlpack.yaml and of the entry point
    needs_registry: ClassVar[bool] = True  # False: it also runs images that are only in the engine that built them
    platforms: ClassVar[tuple[str, ...]] = ()  # of the images that it runs, the usual one first; (): the engine's own
    settings: ClassVar[type[TargetSettings]]  # reads `deploy: {NAME: ...}` in mlpack.yaml
    options: ClassVar[tuple[TargetOption, ...]] = ()  # of the command line, each for one of the settings

    service: str
    where: Mapping[str, str]  # the settings that later commands need to find the service again
    own_registry: OwnRegistry | None = None  # where images go if mlpack.yaml names no repository

    def __init__(self, service: str, settings: Any, *, folder: Path, templates: Path | None) -> None:
        """Make the target of one service; `folder` is the working folder, `templates` that of the user's own.

        It raises UsageError or DeployError if the service cannot be reached from here, before anything is built for it.
        """

    def plan(self, release: Release) -> Plan:
        """What will change if this is released; changes nothing. A reference has no digest yet if the image is not pushed."""

    def stage(self, plan: Plan, release: Release, on_step: OnStep) -> Staged:
        """Start the release without traffic, until it is ready. Raises DeployError; then call `restore`."""

    def promote(self, plan: Plan, staged: Staged, on_step: OnStep) -> Live:
        """Move the traffic to the staged release, or make a first release public."""

    def restore(self, plan: Plan, on_step: OnStep) -> str:
        """Roll back to the state before the plan; return a description of what was restored, "" for nothing.

        Raises DeployStateError, which describes the remaining state, if the rollback fails.
        """

    def status(self) -> Service:
        """The service with its current and earlier revisions."""

    def route(self, shares: Mapping[str, int], on_step: OnStep) -> Service:
        """Split the traffic between revisions by percent (100 in all); return the new state."""

    def delete(self, on_step: OnStep) -> None:
        """Delete the service."""

    def endpoint(self) -> Endpoint:
        """The address of the service."""
