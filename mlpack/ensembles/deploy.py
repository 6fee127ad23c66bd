"""`mlpack ensemble deploy`: from an ensemble.yaml to services, as one line: build, test, plan, confirm, push, release."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Planned, Release, Released, Unverified, Verified
from mlpack.artifacts.service import Live, Plan
from mlpack.ensembles.assembly import Assembly, Built
from mlpack.ensembles.file import MemberEntry
from mlpack.ensembles.rollout import Candidate, EnsembleDeployment, EnsemblePlan, plan_ensemble, push_all, release
from mlpack.ensembles.services import Targets
from mlpack.ensembles.verify import kept_receipt, verify
from mlpack.errors import NotVerifiedError
from mlpack.pipeline.line import Line
from mlpack.pipeline.service import with_expectation
from mlpack.registries.destinations import Destination
from mlpack.targets.base import EnsembleRunner, OnStep, Target
from mlpack.workspace import Deployed


def plan(
    assembly: Assembly, targets: Targets, destination: Callable[[Target, str], Destination | None]
) -> EnsemblePlan:
    """Build and test the images, then plan all services and show the plan. Nothing is changed or pushed."""
    tools = assembly.coordinator.tools
    if targets.members:
        targets.coordinator.identity()  # fail now, before the images are built, if it is not known
    candidates = candidates_of(assembly, assembly.build())
    urls = [entry.name for entry in assembly.ensemble.members if entry.url is not None]
    with tools.reporter.progress("planning"):
        found = plan_ensemble(candidates, targets, urls=urls, destination=destination)
    tools.reporter.reached(Planned(plan=found.whole(), source=candidates[-1].source))
    return found


def deploy(planned: EnsemblePlan, assembly: Assembly, targets: Targets) -> EnsembleDeployment:
    """Ask the user to confirm the plan, push the images, and release all services: see `release`."""
    tools = assembly.coordinator.tools
    whole = planned.whole()
    if not whole.changes_nothing:
        tools.reporter.approve(whole)

    def steps(service: str) -> OnStep:
        return lambda step: tools.reporter.note(f"- {service}: {step}")

    released = push_all(planned, tools)
    deployment = release(planned, released, steps=steps, request_file=tools.workspace.request_file)
    where = targets.coordinator.where
    deployed = Deployed(target=targets.coordinator.name, service=targets.coordinator.service, where=where)
    tools.workspace.note_deployed(deployed, ensemble=targets.name)
    return deployment


@dataclass(frozen=True, kw_only=True)
class LocalDeployment:
    """An ensemble on this machine: what was built, what changes, and what serves, None if it was only planned."""

    built: Built
    plan: Plan
    live: Live | None = None


def deploy_here(
    assembly: Assembly, runner: EnsembleRunner, release_of: Callable[[Built], Release], *, dry_run: bool
) -> LocalDeployment:
    """Build and test the images, then start the containers on this machine, as `mlpack ensemble up`."""
    tools = assembly.coordinator.tools
    built = assembly.build()
    candidates = candidates_of(assembly, built)
    wanted = release_of(built)
    found = runner.plan(wanted)
    tools.reporter.reached(Planned(plan=found, source=candidates[-1].source))
    if dry_run:
        return LocalDeployment(built=built, plan=found)
    if found.changes:
        tools.reporter.approve(found)
    live = runner.up(wanted, lambda step: tools.reporter.note(f"- {step}"))
    deployed = Deployed(target=found.target, service=found.service, where={})
    tools.workspace.note_deployed(deployed, ensemble=assembly.ensemble.name)
    return LocalDeployment(built=built, plan=found, live=live)


def candidates_of(assembly: Assembly, built: Built) -> list[Candidate]:
    """Test what has no receipt yet: each member alone, then all together. The coordinator is the last candidate.

    With the verification "skip", nothing is tested. Raises CheckFailedError, and the errors of the line.
    """
    found = []
    for entry in assembly.ensemble.members:
        if entry.name not in built.members:
            continue
        line = assembly.coordinator if entry.model is None else assembly.line(entry)
        # The expected answers of the ensemble are not those of a member.
        line = line if entry.model is None else with_expectation(line)
        found.append(
            Candidate(
                service=assembly.service(entry), member=entry.name, required=entry.required,
                source=_source(line, entry, built.members[entry.name]), expectation=line.options.expectation,
            )
        )  # fmt: skip
    line = with_expectation(assembly.coordinator)
    source: Verified | Unverified
    if line.options.verification == "skip":
        source = line.run(built.coordinator, Unverified)
    else:
        source = kept_receipt(assembly, built) or verify(assembly, built)
    found.append(Candidate(service=built.ensemble.name, source=source, expectation=line.options.expectation))
    return found


def _source(line: Line, entry: MemberEntry, image: Image) -> Verified | Unverified | Released:
    """The member's image with its receipt. One that the user names by its digest is not pushed again."""
    if entry.image is None:
        return _tested(line, image)
    if "@sha256:" not in entry.image:
        return _kept(line, image)
    try:
        return line.released(entry.image)
    except NotVerifiedError:
        digest = entry.image.partition("@")[2]
        return Released(reference=entry.image, digest=digest, tags=(), source=_kept(line, image))


def _kept(line: Line, image: Image) -> Verified | Unverified:
    """The image with its stored receipt; without one of a passed test, it is tested."""
    if line.options.verification != "skip":
        try:
            return line.tools.workspace.receipt(image)
        except NotVerifiedError:
            pass
    return _tested(line, image)


def _tested(line: Line, image: Image) -> Verified | Unverified:
    if line.options.verification == "skip":
        return line.run(image, Unverified)
    return line.run(image, Verified)
