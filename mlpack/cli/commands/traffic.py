"""`mlpack traffic`: the traffic shared between revisions by percent."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import AsJson, ConfigFile, Quiet
from mlpack.cli.output.console import Console
from mlpack.cli.target_options import ApiEndpoint, Project, Region, ServiceName, Set, TargetName


def traffic(
    shares: Annotated[
        list[str], typer.Argument(metavar="REVISION=PERCENT...", help="Together 100.", show_default=False)
    ],
    target: TargetName = None,
    project: Project = None,
    region: Region = None,
    service: ServiceName = None,
    set_: Set = None,
    api_endpoint: ApiEndpoint = None,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Share the traffic between revisions: to try a new one on some of it, or two against each other.

    \b
    mlpack traffic iris-00003-xyz=10 iris-00002-abc=90
    mlpack traffic iris-00003-xyz=100
    """
    from mlpack.cli.output.deployment import show_service
    from mlpack.cli.target_choice import deployed_service, read_shares
    from mlpack.pipeline.deploy import share

    console = Console(json=json, quiet=quiet)
    wanted = read_shares(shares)
    words = {"project": project, "region": region, "service": service, "api_endpoint": api_endpoint}
    keeper = deployed_service(config, target, words, set_)
    found = share(keeper, wanted, lambda step: console.note(f"- {step}"))
    console.document(found.to_json())
    show_service(console, found)
    return 0
