"""`mlpack traffic`: split the traffic between revisions by percent."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import AsJson, Quiet
from mlpack.cli.output.console import Console
from mlpack.cli.target_command import given_options
from mlpack.cli.target_options import DeployedConfigFile, DeployedServiceName, Set, TargetName


def traffic(
    ctx: typer.Context,
    shares: Annotated[
        list[str],
        typer.Argument(
            metavar="REVISION=PERCENT",
            help="Revisions with their percentages, which add up to 100. With compose: only one, REVISION=100.",
            show_default=False,
        ),
    ],
    target: TargetName = None,
    service: DeployedServiceName = None,
    set_: Set = None,
    config: DeployedConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Split the traffic between revisions, to try a new one with part of the requests or to compare two.

    \b
    mlpack traffic iris-00003-xyz=10 iris-00002-abc=90
    mlpack traffic iris-00003-xyz=100
    """
    from mlpack.cli.output.deployment import show_service
    from mlpack.cli.target_choice import deployed_service, read_shares
    from mlpack.pipeline.deploy import split_traffic

    console = Console(json=json, quiet=quiet)
    wanted = read_shares(shares)
    deployed = deployed_service(config, target, service, given_options(ctx), set_)
    found = split_traffic(deployed, wanted, lambda step: console.note(f"- {step}"))
    console.document(found.to_json())
    show_service(console, found)
    return 0
