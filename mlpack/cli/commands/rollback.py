"""`mlpack rollback`: move the traffic back to an earlier revision."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import AsJson, Quiet
from mlpack.cli.output.console import Console
from mlpack.cli.target_command import given_options
from mlpack.cli.target_options import DeployedConfigFile, DeployedServiceName, Set, TargetName


def rollback(
    ctx: typer.Context,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="REVISION",
            help="Revision to go back to. Default: the most recent revision before the current one that is ready and has had "
            "traffic.",
        ),
    ] = None,
    target: TargetName = None,
    service: DeployedServiceName = None,
    set_: Set = None,
    config: DeployedConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Move all traffic to an earlier revision. Nothing is built, and a revision that still runs is not restarted.

    \b
    mlpack rollback
    mlpack rollback --to iris-00002-abc --service iris
    """
    from mlpack.cli.output.deployment import show_service
    from mlpack.cli.target_choice import deployed_service
    from mlpack.pipeline.deploy import rollback as run_rollback

    console = Console(json=json, quiet=quiet)
    deployed = deployed_service(config, target, service, given_options(ctx), set_)
    found, before = run_rollback(deployed, to, lambda step: console.note(f"- {step}"))
    serving = found.serving
    console.document(found.to_json() | {"revision": serving.name if serving else None, "previous": before})
    show_service(console, found)
    console.brief(serving.name if serving else "")
    return 0
