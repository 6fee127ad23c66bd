"""`mlpack status`: show a service and its revisions."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import AsJson, Quiet
from mlpack.cli.output.console import Console
from mlpack.cli.target_command import given_options
from mlpack.cli.target_options import DeployedConfigFile, DeployedServiceName, Set, TargetName


def status(
    ctx: typer.Context,
    target: TargetName = None,
    service: DeployedServiceName = None,
    set_: Set = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show messages in full instead of their first sentence.")
    ] = False,
    config: DeployedConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Show a service: its URL, its revisions with their share of the traffic, and why a revision is not ready.

    \b
    mlpack status
    mlpack status --target cloudrun --project acme --region europe-west1 --service iris
    """
    from mlpack.cli.output.deployment import show_service
    from mlpack.cli.target_choice import deployed_service

    console = Console(json=json, quiet=quiet)
    found = deployed_service(config, target, service, given_options(ctx), set_).status()
    console.document(found.to_json())
    show_service(console, found, verbose=verbose)
    console.brief(found.url)
    return 0
