"""The interface of a deployment target, which releases a service on a platform and manages it afterwards.

A class of another package becomes a target through the entry point `mlpack.targets`; docs/new-target.md shows a complete one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from mlpack.artifacts.release import Release
from mlpack.artifacts.service import Address, Endpoint, Live, Plan, Service, Staged
from mlpack.registries.destinations import OwnRegistry
from mlpack.targets.settings import TargetOption, TargetSettings

OnStep = Callable[[str], None]  # called with a short description of each step, when the step begins


class EnsembleRunner(Protocol):
    """Runs all containers of an ensemble together, for `mlpack ensemble up` and `down`.

    A target that has one offers it as its attribute `ensemble`.
    """

    def up(self, release: Release, on_step: OnStep) -> Live:
        """Start the ensemble, or change the one that runs, and wait until it answers. The first component is the coordinator.

        Raises DeployError after the previous state was restored, DeployStateError if that failed.
        """

    def down(self, on_step: OnStep) -> None:
        """Remove the ensemble with all that belongs to it. Raises DeployError if there is none."""

    def plan(self, release: Release) -> Plan:
        """What `up` would change."""

    def services(self) -> Mapping[str, bool]:
        """The services by name, and whether each runs; empty if there is no ensemble."""

    def url(self) -> str:
        """The address of the coordinator, "" if there is no ensemble."""

    def text(self, release: Release, builds: Mapping[str, str]) -> tuple[str, str]:
        """The name and the text of a file that starts the ensemble without mlpack.

        `builds` are the folders from which the images of components are built, relative to the file.
        """


class Target(Protocol):
    """Manages one service on one platform.

    A command creates the object for one service, and calls its methods in this order:

    | command               | calls                                             |
    |-----------------------|---------------------------------------------------|
    | `deploy`              | `plan`, `stage`, `promote`; `restore` on failure  |
    | `deploy --no-traffic` | `plan`, `stage`; `restore` on failure             |
    | `deploy --dry-run`    | `plan`                                            |
    | `status`              | `status`                                          |
    | `traffic`             | `status`, `route`                                 |
    | `rollback`            | `status`, `route` with 100 percent for a revision |
    | `delete`              | `status`, `delete`                                |

    `mlpack deploy` shows the plan, asks the user to confirm it, and pushes the image. Then it calls `stage`, sends requests to
    the staged revision, calls `promote`, and sends requests to the service. If anything fails after the call of `stage` and
    before the promoted revision has been verified, mlpack calls `restore` and then reports the failure. Ctrl-C and SIGTERM are
    failures in this sense; Ctrl-C during `restore` ends the command with DeployStateError.

    If `Plan.live` is set, nothing needs to change: mlpack only sends requests to that revision, and calls neither `stage` nor
    `restore`.

    The commands that manage a service raise DeployError with the code `deploy_missing` if it does not exist. A target raises
    DeployError (exit code 8) for any other failure of the platform, with `code` if docs/errors.md has one for the cause.

    The protocol need not be inherited. A class that inherits it gets the default values below. Another one must define every
    attribute.
    """

    name: ClassVar[str]
    """The name of the target: for `--target NAME`, for the section in mlpack.yaml, and of the entry point."""
    needs_registry: ClassVar[bool] = True
    """Set False only if the target also runs images that were never pushed, from the engine that built them."""
    platforms: ClassVar[tuple[str, ...]] = ()
    """The platforms of images that it runs, the default first. Empty: it runs those of the engine, whatever they are."""
    settings: ClassVar[type[TargetSettings]]
    """The class that reads the section `deploy: {NAME: ...}` of mlpack.yaml."""
    options: ClassVar[tuple[TargetOption, ...]] = ()
    """Its command-line options. Each of them sets one key of the settings."""

    service: str
    """The name of the service."""
    where: Mapping[str, str]
    """The settings that find the service again, such as project and region. Later commands in this folder start from them."""
    own_registry: OwnRegistry | None = None
    """The registry for the image if mlpack.yaml names no repository. With None, the user must name one."""

    def __init__(self, service: str, settings: Any, *, folder: Path, templates: Path | None) -> None:
        """Prepare for one service. `settings` is an object of the class `settings`.

        `folder` is the working folder, and `templates` the user's folder of templates, if there is one. Raises UsageError or
        DeployError if the service cannot be managed from this machine, for example without credentials: `mlpack deploy`
        creates the object before it builds an image.
        """

    def plan(self, release: Release) -> Plan:
        """Return what a deployment of the release would change. It must change nothing, because the user may say no.

        `Plan.run` is a name that is new for every plan: `stage` marks with it what it creates, and `restore` removes only
        that. `Plan.before` holds the state that `restore` needs. The image's reference has no digest if the image is still to
        be pushed. Raises DeployError; `Release.single` raises UsageError for several containers. mlpack calls nothing
        afterwards.
        """

    def stage(self, plan: Plan, release: Release, on_step: OnStep) -> Staged:
        """Start the release as a new revision without traffic, and wait until it is ready.

        The references in `release` now have digests, unless the target runs images that were not pushed. Raises DeployError
        if the revision does not become ready, with its log in `detail` if possible. mlpack then calls `restore`, so `stage`
        need not remove what it has created.
        """

    def promote(self, plan: Plan, staged: Staged, on_step: OnStep) -> Live:
        """Move all traffic to the staged revision. `Live.previous` names the revision that had it before, if there is one.

        It is called after the staged revision has answered correctly. Raises DeployError; mlpack then calls `restore`.
        """

    def restore(self, plan: Plan, on_step: OnStep) -> str:
        """Restore the state before the plan, whatever has already happened of `stage` and `promote`; return what was done.

        The traffic goes back, what was created is removed, and a service that did not exist is deleted. The text, such as
        "r2 serves again", completes the message of the failure; "" means that nothing had changed.

        Raises DeployStateError (exit code 9) if that fails; its message describes the state of the service now, and its hint
        says how to repair it. Any other exception would hide the failure that led here.
        """

    def status(self) -> Service:
        """Return the service with its current and earlier revisions. Raises DeployError.

        The revisions must be in order, the newest first: `mlpack rollback` chooses the first one after the current one with
        `ready` and `proven`. `ready` is True for a revision that can get traffic, even if the platform must start it first; an
        unready revision has the reason in `message`. `proven` is False for a revision that never had traffic.
        """

    def route(self, shares: Mapping[str, int], on_step: OnStep) -> Service:
        """Split the traffic between revisions, and return the new state. `shares` maps names to percentages, 100 in all.

        mlpack has checked that the revisions exist, and for `mlpack traffic` that they are ready. A revision that is not named
        gets no traffic. mlpack does not call `restore` if it fails. Raises UsageError if the platform cannot split the
        traffic, DeployError if nothing was changed, DeployStateError if the change is incomplete.
        """

    def delete(self, on_step: OnStep) -> None:
        """Delete the service with all its revisions. Images stay in their registry. The user has confirmed it.

        Raises DeployError.
        """

    def endpoint(self) -> Endpoint:
        """Return the address of the service, with the headers that requests need. Raises DeployError.

        No command calls it by itself; the targets of mlpack use it for `Staged.serving` and `Service.url`.
        """


@runtime_checkable
class EnsembleTarget(Target, Protocol):
    """A target that can release an ensemble: each member is a service of its own, and the coordinator one that calls them.

    `plan` of such a target follows `env`, `callers` and `calls` of a Component, and its `status` returns `Revision.calls`.
    `mlpack ensemble deploy` releases one service after the other, the members first, and calls `restore` of each in reverse
    order if one of them fails.
    """

    coordinator_settings: ClassVar[frozenset[str]]
    """The keys of the settings in ensemble.yaml that are the coordinator's alone; the others are the members' too."""
    member_settings: ClassVar[Mapping[str, Any]]
    """Settings that every member has, so that only the coordinator may send requests to it."""

    def identity(self) -> str:
        """The identity of the requests that the service sends: one of the `callers` of the services that it calls.

        Raises UsageError if it is not known.
        """

    def address(self) -> Address | None:
        """How other services call the service; None if it does not exist. Raises DeployError."""
