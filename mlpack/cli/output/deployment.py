"""A planned and a finished deploy, and a service, as people see them."""

from __future__ import annotations

from mlpack.artifacts.service import Deployment, Plan, Service
from mlpack.cli.output.console import Console


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


def show_service(console: Console, service: Service) -> None:
    """The service and its revisions, for people."""
    access = {True: "public", False: "private", None: "who may ask it could not be looked up"}[service.open_to_all]
    console.text(f"{service.name} on {service.target}: {service.url} ({access})")
    if service.message:
        console.warn(service.message)
    rows = [
        (
            f"{revision.percent} %",
            revision.name,
            "ready" if revision.ready else "not ready",
            revision.made,
            " ".join(filter(None, (revision.image, *(f"[{tag}]" for tag in revision.tags), revision.message))),
        )
        for revision in service.revisions
    ]
    console.table(rows, header=("traffic", "revision", "", "made", "image"))
