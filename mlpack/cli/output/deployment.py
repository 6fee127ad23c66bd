"""Output of a plan, a deployment and a service."""

from __future__ import annotations

from mlpack.artifacts.service import Deployment, Plan, Service
from mlpack.cli.output.console import Console
from mlpack.shown import first_sentence


def show_plan(console: Console, plan: Plan) -> None:
    """Print the changes against the current revision, and the costs."""
    title = f"{plan.service} on {plan.target}"
    if plan.live is not None:
        console.text(f"{title}: nothing to change")
        return
    console.text(f"{title}: " + ("will be changed" if plan.exists else "will be created"))
    rows = [(change.field, change.before or "-", change.after or "-") for change in plan.changes]
    if plan.exists:
        console.table(rows, header=("setting", "current", "new"))
    else:
        console.table([(field, after) for field, _, after in rows], header=("setting", "new"))
    if plan.cost is not None:
        cost = plan.cost
        console.text(
            f"estimated costs: {cost.idle_month:.2f} {cost.currency} per month without requests, "
            f"{cost.million_requests:.2f} {cost.currency} per million requests ({cost.basis})"
        )
    for note in plan.notes:
        console.warn(note)


def show_deployment(console: Console, deployment: Deployment) -> None:
    """Print the URL, how the release was verified, a curl command, and the command for a rollback."""
    result = deployment.measured.get("live") or deployment.measured.get("staged") or {}
    before = deployment.measured.get("before") or {}
    proof = {
        "golden": "by the golden request",
        "readiness": "BY READINESS ONLY: no golden request was sent",
        "none": "no: no request was sent",
    }
    figures = f", {result['times']} times, p95 {result['p95_ms']} ms" if result else ""
    figures += f" ({before['p95_ms']} ms before)" if before.get("p95_ms") is not None else ""
    rows = [
        ("url", deployment.url),
        ("revision", deployment.revision),
        ("image", deployment.image),
        ("verified", proof[deployment.verified] + figures),
        ("request", deployment.command),
        ("traffic", deployment.share) if deployment.share else ("rollback", deployment.rollback),
    ]
    console.table(rows, styles=("bold", ""))
    for note in deployment.notes:
        console.warn(note)
    console.brief(deployment.url)


def show_service(console: Console, service: Service, *, verbose: bool = False) -> None:
    """Print a service and its revisions, each with the first sentence of its message; `verbose`: messages in full below."""
    access = {True: "public", False: "private", None: "access unknown: no permission to read it"}[service.open_to_all]
    console.text(f"{service.name} on {service.target}: {service.url} ({access})")
    if service.message:
        console.warn(service.message if verbose else first_sentence(service.message))
    rows = [
        (
            f"{revision.percent} %",
            revision.name,
            "ready" if revision.ready else "not ready",
            revision.made,
            " ".join(
                filter(None, (revision.image, *(f"[{tag}]" for tag in revision.tags), first_sentence(revision.message)))
            ),
        )
        for revision in service.revisions
    ]
    console.table(rows, header=("traffic", "revision", "", "created", "image"))
    said = {service.name: service.message, **{one.name: one.message for one in service.revisions}}
    longer = {name: message for name, message in said.items() if first_sentence(message) != message.strip()}
    for name, message in longer.items() if verbose else ():
        console.text()
        console.text(f"{name}:")
        for line in message.splitlines():
            console.text(f"  {line}")
    if longer and not verbose:
        console.note("`mlpack status --verbose` shows the messages in full.")
