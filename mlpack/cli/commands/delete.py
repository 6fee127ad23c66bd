"""`mlpack delete`: a service is taken away."""

from __future__ import annotations

from mlpack.cli.options import AsJson, ConfigFile, Quiet
from mlpack.cli.output.console import Console
from mlpack.cli.target_options import ApiEndpoint, Project, Region, ServiceName, Set, TargetName, Yes


def delete(
    target: TargetName = None,
    project: Project = None,
    region: Region = None,
    service: ServiceName = None,
    set_: Set = None,
    api_endpoint: ApiEndpoint = None,
    yes: Yes = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Take a service away, with all its revisions; images stay where they are. It asks first.

    \b
    mlpack delete
    mlpack delete --service iris --yes
    """
    from mlpack.cli.target_choice import deployed_service
    from mlpack.errors import UsageError

    console = Console(json=json, quiet=quiet)
    if not yes and not console.interactive:
        raise UsageError("deleting needs confirmation, and no terminal is there to ask", hint="--yes confirms.")
    words = {"project": project, "region": region, "service": service, "api_endpoint": api_endpoint}
    keeper = deployed_service(config, target, words, set_)
    found = keeper.status()
    console.text(f"{found.name} on {found.target}, {len(found.revisions)} revisions, {found.url}")
    if not yes:
        console.confirm("Delete it?")
    keeper.delete(lambda step: console.note(f"- {step}"))
    console.document({"deleted": found.name, "target": found.target})
    console.text(f"{found.name} is gone")
    return 0
