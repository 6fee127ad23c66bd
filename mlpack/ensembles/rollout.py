"""The deployment of an ensemble: one plan for all its services, then one service after the other, the members first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.release import Component, Release, Released, Unverified, Verified
from mlpack.artifacts.service import Address, Change, Cost, Deployment, Plan
from mlpack.checks.golden import golden_request_of
from mlpack.checks.smoke import Expectation
from mlpack.ensembles.services import Targets
from mlpack.errors import DeployError, DeployStateError, InterruptedByUser, MlpackError
from mlpack.pipeline.deploy import refuse_platform, roll_out
from mlpack.pipeline.push import leave_on_engine, push
from mlpack.pipeline.tools import Tools
from mlpack.registries.destinations import Destination
from mlpack.runtime.ensembles.plan import audience_variable, url_variable
from mlpack.targets.base import EnsembleTarget, OnStep, Target

_LATER_URL = "known after its first release"
_LATER_REVISION = "its new revision"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A tested image on its way to a service. `member` is its name in the ensemble, "" for the coordinator."""

    service: str
    source: Verified | Unverified | Released
    member: str = ""
    required: bool = True
    expectation: Expectation = field(default_factory=Expectation)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A service with what is planned for it. `destination` is where its image is pushed, None for nowhere."""

    candidate: Candidate
    target: EnsembleTarget
    destination: Destination | None
    component: Component
    plan: Plan


@dataclass(frozen=True, kw_only=True)
class EnsemblePlan:
    """The plans of all services. The coordinator's is made again when the members are released and their URLs are known.

    `absent` are variables that the coordinator must not have: those of members that have a URL in ensemble.yaml.
    """

    name: str
    members: tuple[Part, ...]
    coordinator: Part
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """All services in the order of their release."""
        return (*self.members, self.coordinator)

    def whole(self) -> Plan:
        """One plan with all changes, the sum of the costs and all notes, to be shown and confirmed."""
        plans = [part.plan for part in self.parts]
        first = self.coordinator.plan
        return Plan(
            target=first.target,
            service=self.name,
            exists=any(plan.exists for plan in plans),
            changes=tuple(
                Change(field=f"{plan.service} {one.field}", before=one.before, after=one.after)
                for plan in plans
                for one in plan.changes
            ),
            document="---\n".join(plan.document.rstrip("\n") + "\n" for plan in plans),
            file_name=first.file_name,
            run=first.run,
            cost=_sum([plan.cost for plan in plans if plan.cost is not None]),
            notes=(*(f"{plan.service}: {note}" for plan in plans for note in plan.notes), *self.notes),
            live=first.live if all(plan.changes_nothing for plan in plans) else None,
        )

    def to_json(self) -> dict[str, Any]:
        """The plan as plain JSON values."""
        return self.whole().to_json() | {"services": {one.plan.service: one.plan.to_json() for one in self.parts}}


@dataclass(frozen=True, kw_only=True)
class EnsembleDeployment:
    """A finished deployment: that of the coordinator, and those of the members by name."""

    plan: EnsemblePlan
    coordinator: Deployment
    members: Mapping[str, Deployment]

    def to_json(self) -> dict[str, Any]:
        """The deployment as plain JSON values: the keys of a single service for the coordinator, and more."""
        members = {name: _without_plan(one) for name, one in self.members.items()}
        own = {"ensemble": self.plan.name, "members": members, "plan": self.plan.to_json()}
        return _without_plan(self.coordinator) | own


def plan_ensemble(
    candidates: Sequence[Candidate],
    targets: Targets,
    *,
    urls: Sequence[str] = (),
    destination: Callable[[Target, str], Destination | None],
) -> EnsemblePlan:
    """Plan all services; nothing is changed. The last candidate is the coordinator, `urls` are members without a service.

    `destination` is where the image of a service is pushed. Raises DeployError, UsageError.
    """
    *members, last = candidates
    callers = (targets.coordinator.identity(),) if members else ()
    parts = tuple(
        _planned(one, targets.members[one.service], destination, {"callers": callers}) for one in members
    )  # fmt: skip
    absent = tuple(variable(name) for name in urls for variable in (url_variable, audience_variable))
    wanted = {
        "env": _env([(one, one.target.address() if one.plan.exists else None) for one in parts], absent),
        "calls": {one.candidate.service: one.plan.live.revision if one.plan.live else _LATER_REVISION for one in parts},
    }
    coordinator = _planned(last, targets.coordinator, destination, wanted)
    return EnsemblePlan(
        name=targets.name, members=parts, coordinator=coordinator, absent=absent, notes=_notes(parts, coordinator)
    )


def push_all(plan: EnsemblePlan, tools: Tools) -> dict[str, Released]:
    """Push the images of all services that change; return them by their service. Raises RegistryError and its subclasses."""
    return {part.candidate.service: _pushed(part, tools) for part in plan.parts}


def release(
    plan: EnsemblePlan,
    released: Mapping[str, Released],
    *,
    steps: Callable[[str], OnStep],
    request_file: Path | None = None,
) -> EnsembleDeployment:
    """Release the members, then the coordinator, each verified before and after it gets its traffic.

    `steps` gives what reports the steps of a service. If anything fails, also Ctrl-C, all services that were changed are
    restored, the last one first. Raises DeployError (exit 8) after that succeeded, DeployStateError (exit 9) if it did not.
    """
    changed: list[Part] = []

    def rolled_out(part: Part) -> Deployment:
        service = part.candidate.service
        if not part.plan.changes_nothing:
            changed.append(part)
        image = released[service]
        component = replace(part.component, reference=image.reference)
        golden = golden_request_of(image.image.card, image.report, part.candidate.expectation)
        return roll_out(
            part.plan, Release(components=(component,)), target=part.target, golden=golden, on_step=steps(service),
            request_file=request_file,
        )  # fmt: skip

    try:
        done = {part.candidate.member: rolled_out(part) for part in plan.members}
        coordinator = rolled_out(_planned_again(plan, done))
    except BaseException as error:
        restore(changed, error, steps)
        raise
    back = "mlpack ensemble rollback" if coordinator.previous else "mlpack ensemble delete"
    return EnsembleDeployment(plan=plan, coordinator=replace(coordinator, rollback=back), members=done)


def restore(changed: Sequence[Part], error: BaseException, steps: Callable[[str], OnStep]) -> None:
    """Restore services, the last one first, and add the outcome to the message of `error`.

    All are tried, whatever happens to one of them. Raises DeployStateError that names the state of each.
    """
    outcomes: dict[str, str] = {}
    failed: dict[str, str] = {}
    left = [part.candidate.service for part in changed]
    for part in reversed(changed):
        service = left.pop()
        on_step = steps(service)
        on_step("rolling back")
        try:
            outcomes[service] = part.target.restore(part.plan, on_step) or "nothing was changed"
            on_step(outcomes[service])
        except MlpackError as other:
            failed[service] = other.message
        except KeyboardInterrupt:
            failed |= {service: "interrupted during its rollback"} | dict.fromkeys(reversed(left), "not rolled back")
            break
    if failed:
        state = DeployStateError(
            f"{str(error) or 'interrupted'}; and the rollback failed for {_told(failed)}"
            + (f"; restored: {_told(outcomes)}" if outcomes else ""),
            hint="`mlpack ensemble status` shows all services; `mlpack ensemble rollback --to REVISION` or "
            "`mlpack ensemble delete` repairs them.",
            detail=getattr(error, "detail", ""),
        )
        state.document = {"restored": outcomes, "not_restored": failed}
        raise state from error
    if isinstance(error, MlpackError) and not isinstance(error, InterruptedByUser):
        last = {"service": changed[-1].candidate.service} if changed else {}
        error.document = {**last, **error.document, "restored": outcomes}
        error.message = f"{error.message} ({_told(outcomes) or 'nothing was changed'})"


def _planned(
    candidate: Candidate,
    target: EnsembleTarget,
    destination: Callable[[Target, str], Destination | None],
    more: Mapping[str, Any],
) -> Part:
    source = candidate.source
    refuse_platform(source.image, target.platforms)
    place = None if isinstance(source, Released) else destination(target, candidate.service)
    reference = source.reference if isinstance(source, Released) else source.image.id
    component = Component(
        name=candidate.service, image=source.image, report=source.report, member=candidate.member,
        required=candidate.required, reference=reference if place is None else place.reference(), **more,
    )  # fmt: skip
    plan = target.plan(Release(components=(component,)))
    return Part(candidate=candidate, target=target, destination=place, component=component, plan=plan)


def _planned_again(plan: EnsemblePlan, done: Mapping[str, Deployment]) -> Part:
    """The coordinator's part, now that the URLs and the revisions of its members are known.

    Raises DeployError if more would change than the user has confirmed.
    """
    part = plan.coordinator
    component = replace(
        part.component,
        env=_env([(one, one.target.address()) for one in plan.members], plan.absent),
        calls={one.candidate.service: done[one.candidate.member].revision for one in plan.members},
    )
    again = part.target.plan(Release(components=(component,)))
    if more := {one.field for one in again.changes} - {one.field for one in part.plan.changes}:
        error = DeployError(
            f"{part.candidate.service} was changed by someone else in the meantime: {', '.join(sorted(more))}",
            hint="Look at the change with `mlpack ensemble status`, then deploy again, which makes a new plan.",
            code="deploy_conflict",
        )
        error.document = {"service": part.candidate.service}
        raise error
    return replace(part, component=component, plan=again)


def _env(members: Sequence[tuple[Part, Address | None]], absent: Sequence[str]) -> dict[str, str | None]:
    """The variables by which the coordinator finds its members."""
    env: dict[str, str | None] = dict.fromkeys(absent)
    for part, address in members:
        name = part.candidate.member
        env[url_variable(name)] = _LATER_URL if address is None else address.url
        env[audience_variable(name)] = _LATER_URL if address is None else address.audience or None
    return env


def _pushed(part: Part, tools: Tools) -> Released:
    source = part.candidate.source
    if isinstance(source, Released):
        return source
    if part.destination is None or part.plan.changes_nothing:
        return leave_on_engine(source)
    with tools.reporter.progress(f"pushing {part.candidate.service}") as on_progress:
        return push(source, engine=tools.engine, destination=part.destination, on_progress=on_progress)


def _notes(members: Sequence[Part], coordinator: Part) -> tuple[str, ...]:
    notes = []
    if coordinator.plan.exists:
        serving = coordinator.target.status().serving
        present = {one.candidate.service for one in members}
        notes = [
            f"{service} is no member any more; the service stays, for a rollback, until `mlpack ensemble delete`"
            for service in (serving.calls if serving else ())
            if service not in present
        ]
        if _new_image(coordinator) and any(part.plan.exists and _new_image(part) for part in members):
            notes.append(
                "the members change before the coordinator: if one of them takes other inputs than before, requests fail "
                "until the coordinator has changed too"
            )
    return tuple(notes)


def _new_image(part: Part) -> bool:
    return any(change.field == "image" for change in part.plan.changes)


def _sum(costs: Sequence[Cost]) -> Cost | None:
    """The costs of all services; a request to the ensemble is one to each of them."""
    if not costs:
        return None
    return Cost(
        currency=costs[0].currency,
        idle_month=sum(one.idle_month for one in costs),
        million_requests=sum(one.million_requests for one in costs),
        basis=f"the sum of {len(costs)} services, each called once per request; the coordinator: {costs[-1].basis}",
    )


def _told(outcomes: Mapping[str, str]) -> str:
    return "; ".join(f"{service}: {outcome}" for service, outcome in outcomes.items())


def _without_plan(deployment: Deployment) -> dict[str, Any]:
    return {key: value for key, value in deployment.to_json().items() if key not in ("plan", "share")}
