"""Output of a deployed ensemble: its deployment, and the state of its services."""

from __future__ import annotations

from mlpack.cli.output.console import Console
from mlpack.cli.output.deployment import show_deployment, show_service
from mlpack.ensembles.rollout import EnsembleDeployment
from mlpack.ensembles.services import EnsembleState
from mlpack.errors import DeployError
from mlpack.targets.base import EnsembleRunner


def show_ensemble_deployment(console: Console, deployment: EnsembleDeployment) -> None:
    """Print the coordinator's deployment, and a line for each member."""
    proof = {
        "golden": "verified by the golden request",
        "readiness": "verified BY READINESS ONLY",
        "none": "not verified",
    }
    rows = [(name, one.revision, proof[one.verified], one.image) for name, one in deployment.members.items()]
    if rows:
        console.table(rows, header=("member", "revision", "", "image"))
        console.text()
    for one in deployment.members.values():
        for note in one.notes:
            console.warn(f"{one.service}: {note}")
    show_deployment(console, deployment.coordinator)


def show_state(console: Console, state: EnsembleState) -> None:
    """Print the services with their revisions, and what does not serve as it was released."""
    for name, service in ((state.name, state.coordinator), *state.members.items()):
        if service is None:
            console.warn(f"there is no service {name}")
        else:
            show_service(console, service)
            console.text()
    serving = state.coordinator.serving
    calls = serving.calls if serving else {}
    if calls:
        console.text("released together: " + ", ".join([serving.name if serving else "", *calls.values()]))
    for name in state.changed:
        console.warn(f"{name} does not serve {calls[name]}, with which the coordinator's current revision was released")


def show_containers(console: Console, name: str, target: str, runner: EnsembleRunner) -> None:
    """Print which containers of an ensemble on this machine run. Raises DeployError if there are none."""
    found = dict(runner.services())
    if not found:
        raise DeployError(
            f"the ensemble {name} does not run from this folder",
            hint="`mlpack ensemble up` starts it.", code="deploy_missing",
        )  # fmt: skip
    url = runner.url()
    console.document(
        {"ensemble": name, "target": target, "url": url, "ready": all(found.values()), "services": found}
    )  # fmt: skip
    console.text(f"{name} on {target}: {url}")
    console.table([(service, "runs" if runs else "does not run") for service, runs in found.items()])
    console.brief(url)
