"""The services of a deployed ensemble as a whole: status, rollback and delete.

Each release of an ensemble is a revision of its coordinator, which records the revisions of the members that it was released
with (`Revision.calls`). So any machine can move all of them back together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlpack.artifacts.service import Revision, Service
from mlpack.errors import DeployError, DeployStateError, MlpackError
from mlpack.pipeline.deploy import earlier_revision, missing_revision
from mlpack.targets.base import EnsembleTarget, OnStep


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The targets of the services of an ensemble.

    `members` are those of its file that have a service, by the service; `other` makes the target of a service that an earlier
    release has.
    """

    name: str
    coordinator: EnsembleTarget
    members: Mapping[str, EnsembleTarget]
    other: Callable[[str], EnsembleTarget]

    def of(self, service: str) -> EnsembleTarget:
        """The target of a member's service."""
        return self.members.get(service) or self.other(service)


@dataclass(frozen=True, kw_only=True)
class EnsembleState:
    """The state of the services: `coordinator`, and `members` by their service, None for one that does not exist."""

    name: str
    coordinator: Service
    members: Mapping[str, Service | None]

    @property
    def changed(self) -> tuple[str, ...]:
        """The members that do not serve the revision that the coordinator's current revision was released with."""
        serving = self.coordinator.serving
        calls = serving.calls if serving else {}
        return tuple(
            service for service, revision in calls.items() if _serving(self.members.get(service)) != {revision: 100}
        )

    def to_json(self) -> dict[str, Any]:
        """The state as plain JSON values."""
        found = [self.coordinator, *(one for one in self.members.values() if one is not None)]
        return {
            "ensemble": self.name,
            "target": self.coordinator.target,
            "url": self.coordinator.url,
            "ready": all(one.ready for one in found),
            "coordinator": self.coordinator.to_json(),
            "members": {name: None if one is None else one.to_json() for name, one in self.members.items()},
            "missing": [name for name, one in self.members.items() if one is None],
            "changed": list(self.changed),
        }


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """A finished rollback: the revision of the coordinator before and now, and those of the members that moved."""

    state: EnsembleState
    revision: str
    previous: str
    moved: Mapping[str, str]


def status(targets: Targets) -> EnsembleState:
    """The state of all services. Raises DeployError, with the code `deploy_missing` if there is no coordinator."""
    coordinator = targets.coordinator.status()
    serving = coordinator.serving
    names = dict.fromkeys([*targets.members, *(serving.calls if serving else ())])
    members = {name: _found(targets.of(name)) for name in names}
    return EnsembleState(name=targets.name, coordinator=coordinator, members=members)


def rollback(targets: Targets, to: str | None, on_step: OnStep) -> Rollback:
    """Move the coordinator to an earlier revision, and the members to those that were released with it.

    The coordinator moves first, then the members that differ, in the reverse order of a release, so that only combinations
    serve that have served before. Raises DeployError if nothing was changed or all was put back, DeployStateError otherwise.
    """
    before = targets.coordinator.status()
    chosen = _usable(before, earlier_revision(before, to))
    moves = [(targets.coordinator, before, chosen.name)]
    for name, revision in reversed(list(chosen.calls.items())):
        member = targets.of(name).status()
        wanted = next((one for one in member.revisions if one.name == revision), None)
        if wanted is None:
            raise missing_revision(member, revision)
        if _serving(member) != {revision: 100}:
            moves.append((targets.of(name), member, _usable(member, wanted).name))
    begun: list[tuple[EnsembleTarget, Service]] = []
    try:
        for target, service, revision in moves:
            begun.append((target, service))
            target.route({revision: 100}, on_step)
    except BaseException as error:
        if isinstance(error, DeployError):
            begun.pop()  # a target raises it if nothing was changed
        _put_back(begun, error, on_step)
        raise
    return Rollback(
        state=status(targets),
        revision=chosen.name,
        previous=before.serving.name if before.serving else "",
        moved={service.name: revision for _, service, revision in moves[1:]},
    )


def delete(targets: Targets, on_step: OnStep) -> tuple[str, ...]:
    """Delete the coordinator, then the members, also those of earlier releases; return the names of the services.

    Raises DeployError if nothing was deleted, DeployStateError if some services are left.
    """
    left = list(existing(targets))
    if not left:
        raise DeployError(
            f"there is no service of the ensemble {targets.name}",
            hint="`mlpack ensemble deploy` creates them.", code="deploy_missing",
        )  # fmt: skip
    names = tuple(name for name, _ in left)
    deleted: list[str] = []
    try:
        for name, target in list(left):
            target.delete(on_step)
            deleted.append(name)
            del left[0]
    except BaseException as error:
        if isinstance(error, DeployError) and not deleted:
            raise
        gone = ", ".join(deleted) or "none"
        raise DeployStateError(
            f"{str(error) or 'interrupted'}; deleted: {gone}; left: {', '.join(name for name, _ in left)}",
            hint="Remove the cause and run `mlpack ensemble delete` again: it deletes what is left.",
        ) from error
    return names


def existing(targets: Targets) -> Iterator[tuple[str, EnsembleTarget]]:
    """The services that exist, the coordinator first; of the members also those of earlier releases."""
    coordinator = _found(targets.coordinator)
    names = dict.fromkeys(targets.members)
    if coordinator is not None:
        yield coordinator.name, targets.coordinator
        names |= dict.fromkeys(service for revision in coordinator.revisions for service in revision.calls)
    for name in names:
        if _found(target := targets.of(name)) is not None:
            yield name, target


def _found(target: EnsembleTarget) -> Service | None:
    """The service, None if it does not exist."""
    try:
        return target.status()
    except DeployError as error:
        if error.code != "deploy_missing":
            raise
        return None


def _serving(service: Service | None) -> dict[str, int]:
    """The shares of the traffic by revision."""
    return {} if service is None else {one.name: one.percent for one in service.revisions if one.percent}


def _usable(service: Service, revision: Revision) -> Revision:
    """The same revision. Raises DeployError if it cannot serve."""
    if not revision.ready:
        raise DeployError(
            f"{revision.name} of {service.name} cannot serve: {revision.message or 'it is not ready'}",
            hint="Choose another release with --to REVISION: `mlpack ensemble status` lists those of the coordinator.",
        )
    return revision


def _put_back(begun: list[tuple[EnsembleTarget, Service]], error: BaseException, on_step: OnStep) -> None:
    """Give the services their traffic back, the last one first. Raises DeployStateError if that fails for one."""
    if failed := [problem for one in reversed(begun) if (problem := _not_moved_back(*one, on_step))]:
        raise DeployStateError(
            f"{str(error) or 'interrupted'}; and not all traffic could be moved back: {'; '.join(failed)}",
            hint="`mlpack ensemble status` shows what serves; `mlpack ensemble rollback --to REVISION` moves all of it.",
        ) from error
    if begun and isinstance(error, MlpackError):
        names = ", ".join(service.name for _, service in begun)
        error.message = f"{error.message} (the traffic of {names} was moved back)"


def _not_moved_back(target: EnsembleTarget, service: Service, on_step: OnStep) -> str:
    """Why the service's traffic could not be moved back; "" if it was."""
    try:
        target.route(_serving(service), on_step)
    except (MlpackError, KeyboardInterrupt) as error:
        return f"{service.name}: {str(error) or 'interrupted'}"
    return ""
