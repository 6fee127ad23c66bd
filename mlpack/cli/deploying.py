"""How `mlpack deploy` goes: the image made ready, the plan shown and agreed to, the push, the release."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.service import Deployment, Plan
from mlpack.checks.golden import golden_of
from mlpack.cli.output.ci_summary import deploy_summary, failure_summary, write_summary
from mlpack.cli.output.console import Console
from mlpack.cli.shelving import Shelving
from mlpack.cli.sources import make_ready, open_source
from mlpack.cli.targeting import make_target, remember_deployed
from mlpack.cli.testing import expectation
from mlpack.errors import DeployError, MlpackError, UsageError
from mlpack.pipeline.deploy import deploy
from mlpack.plugins import load
from mlpack.workspace import write_whole


@dataclass(frozen=True, kw_only=True)
class How:
    """The command's words beside its source: `words` are the target's settings, `more` its `--set KEY=VALUE`."""

    target: str | None
    words: Mapping[str, Any]
    more: tuple[str, ...]
    traffic: bool
    dry_run: bool
    write: Path | None
    yes: bool
    trust: bool
    no_verify: bool
    keep: int | None
    receipt: Path | None


def run_deploy(console: Console, words: str | None, config: Path | None, how: How) -> int:
    """The whole command; a failure is told on the CI's page too."""
    try:
        return _run(console, words, config, how)
    except MlpackError as error:
        write_summary(failure_summary("mlpack deploy", error))
        raise


def _run(console: Console, words: str | None, config: Path | None, how: How) -> int:
    if how.target is not None:  # a misspelt one is told first, whatever else is wrong
        load("targets", how.target)
    if not (how.yes or how.dry_run or console.interactive):
        raise UsageError("nobody is here to agree to the plan", hint="--yes goes ahead; --dry-run only shows it.")
    source = open_source(console, words, config)
    context = source.context
    early = None
    if source.name is not None:  # what does not fit is told before anything is built
        early = make_target(context.config, how.target, how.words, how.more, folder=context.folder, name=source.name)
    ready = make_ready(
        source,
        trust=how.trust,
        no_verify=how.no_verify,
        receipt=how.receipt,
        platform=early.platform if early is not None else None,
    )
    name = source.name or str(ready.image.card.get("name") or "")
    target = early or make_target(
        context.config, how.target, how.words, how.more, folder=context.folder, name=name or None
    )
    refuse_platform(ready.image, target.platform)
    place = Shelving(
        context=context,
        named=context.config.image.repository if target.home is not None else None,
        home=target.home,
        name=name or target.service,
        keep=how.keep,
    )
    with console.progress("planning"):
        plan = target.plan(ready.image, ready.report, place.reference(ready))
    plan = plan if how.traffic else plan.aside()
    show_plan(console, plan)
    if how.write is not None:
        write_whole(how.write, plan.document)
        console.note(f"Wrote {how.write}")
    if how.dry_run:
        console.document({"plan": plan.to_json(), "deployed": False})
        return 0
    if plan.live is None and not how.yes:
        console.agree("Go ahead?")
    released = place.put(ready) if plan.live is None else replace(place, named=None, home=None).put(ready)
    golden = golden_of(ready.image.card, ready.report, expectation(context.config.test))
    deployment = deploy(
        plan,
        released,
        target=target,
        golden=golden,
        on_step=lambda step: console.note(f"- {step}"),
        traffic=how.traffic,
    )
    remember_deployed(context.folder, plan.target, plan.service, target.where)
    write_summary(deploy_summary(plan, deployment))
    console.document(deployment.to_json() | {"plan": plan.to_json()})
    show_deployment(console, deployment)
    return 0


def show_plan(console: Console, plan: Plan) -> None:
    """What will change, as a diff against what serves now, and what it costs."""
    title = f"{plan.service} on {plan.target}"
    if plan.live is not None:
        console.text(f"{title}: nothing to change")
        return
    console.text(f"{title}: " + ("will be changed" if plan.exists else "will be made"))
    rows = [(change.field, change.before or "-", change.after or "-") for change in plan.changes]
    if plan.exists:
        console.table(rows, header=("setting", "serves now", "will serve"))
    else:
        console.table([(field, after) for field, _, after in rows], header=("setting", "will serve"))
    if plan.cost is not None:
        cost = plan.cost
        console.text(
            f"costs about {cost.idle_month:.2f} {cost.currency} a month without requests, and "
            f"{cost.million_requests:.2f} {cost.currency} for a million of them ({cost.basis})"
        )
    for note in plan.notes:
        console.warn(note)


def show_deployment(console: Console, deployment: Deployment) -> None:
    """Where it is, how it was proven, how it is asked, and the way back."""
    asked = deployment.asked.get("live") or deployment.asked.get("staged") or {}
    before = deployment.asked.get("before") or {}
    proof = {"golden": "answers the golden request", "readiness": "READY ONLY: it was not asked", "none": "not asked"}
    figures = f", {asked['times']} times, p95 {asked['p95_ms']} ms" if asked else ""
    figures += f" ({before['p95_ms']} ms before)" if before.get("p95_ms") is not None else ""
    rows = [
        ("url", deployment.url),
        ("revision", deployment.revision),
        ("image", deployment.image),
        ("verified", proof[deployment.verified] + figures),
        ("ask it", deployment.command),
        ("traffic", deployment.share) if deployment.share else ("back", deployment.rollback),
    ]
    console.table(rows, styles=("bold", ""))
    for note in deployment.notes:
        console.warn(note)
    console.brief(deployment.url)


def refuse_platform(image: Image, platform: str | None) -> None:
    """Raises DeployError for an image of another platform than the target's, with the command that mends it."""
    if platform is None or image.platform == platform:
        return
    raise DeployError(
        f"the image is for {image.platform}, and the target runs {platform} alone",
        hint=f"`mlpack build --platform {platform}`, then test and deploy that one.",
        code="deploy_platform",
    )
