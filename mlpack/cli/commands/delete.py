"""`mlpack delete`: delete a service."""

from __future__ import annotations

import typer

from mlpack.cli.options import AsJson, Quiet
from mlpack.cli.output.console import Console
from mlpack.cli.target_command import given_options
from mlpack.cli.target_options import DeployedConfigFile, DeployedServiceName, Set, TargetName, Yes


def delete(
    ctx: typer.Context,
    target: TargetName = None,
    service: DeployedServiceName = None,
    set_: Set = None,
    yes: Yes = False,
    config: DeployedConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Delete a service with all its revisions, after a confirmation. Images are not deleted.

    \b
    mlpack delete
    mlpack delete --service iris --yes
    """
    from mlpack.cli.target_choice import deployed_service
    from mlpack.errors import UsageError

    console = Console(json=json, quiet=quiet)
    if not yes and not console.interactive:
        raise UsageError("deletion needs confirmation, and there is no terminal", hint="--yes confirms.")
    deployed = deployed_service(config, target, service, given_options(ctx), set_)
    found = deployed.status()
    console.text(f"{found.name} on {found.target}, {len(found.revisions)} revisions, {found.url}")
    if not yes:
        console.confirm("Delete it?")
    deployed.delete(lambda step: console.note(f"- {step}"))
    console.document({"deleted": found.name, "target": found.target})
    console.text(f"Deleted {found.name}")
    return 0
