"""`mlpack rollback`: the traffic goes back to an earlier revision."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import AsJson, ConfigFile, Quiet
from mlpack.cli.output.console import Console
from mlpack.cli.target_options import ApiEndpoint, Project, Region, ServiceName, Set, TargetName


def rollback(
    to: Annotated[
        str | None, typer.Option("--to", metavar="REVISION", help="Which; else the newest that served before this one.")
    ] = None,
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
    """Give all the traffic to an earlier revision; nothing is built or started anew where it still runs.

    \b
    mlpack rollback
    mlpack rollback --to iris-00002-abc --service iris
    """
    from mlpack.cli.output.deployment import show_service
    from mlpack.cli.target_choice import deployed_service
    from mlpack.pipeline.deploy import rollback as run_rollback

    console = Console(json=json, quiet=quiet)
    words = {"project": project, "region": region, "service": service, "api_endpoint": api_endpoint}
    keeper = deployed_service(config, target, words, set_)
    found, before = run_rollback(keeper, to, lambda step: console.note(f"- {step}"))
    serving = found.serving
    console.document(found.to_json() | {"revision": serving.name if serving else None, "previous": before})
    show_service(console, found)
    console.brief(serving.name if serving else "")
    return 0
