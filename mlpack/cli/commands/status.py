"""`mlpack status`: what a service is now, and what it was before."""

from __future__ import annotations

from mlpack.cli.options import AsJson, ConfigFile, Quiet
from mlpack.cli.output.console import Console
from mlpack.cli.target_options import ApiEndpoint, Project, Region, ServiceName, Set, TargetName


def status(
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
    """Show a service: its address, its revisions with their share of the traffic, what is wrong with those not ready.

    \b
    mlpack status
    mlpack status --target cloudrun --project acme --region europe-west1 --service iris
    """
    from mlpack.cli.output.deployment import show_service
    from mlpack.cli.target_choice import deployed_service

    console = Console(json=json, quiet=quiet)
    words = {"project": project, "region": region, "service": service, "api_endpoint": api_endpoint}
    found = deployed_service(config, target, words, set_).status()
    console.document(found.to_json())
    show_service(console, found)
    console.brief(found.url)
    return 0
