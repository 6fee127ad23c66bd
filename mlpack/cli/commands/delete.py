"""`mlpack delete`: deletes a service."""

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
    """Delete a service with all its revisions, after a confirmation. Images are not deleted.

    \b
    mlpack delete
    mlpack delete --service iris --yes
    """
    from mlpack.cli.targeting import ready_made
    from mlpack.errors import UsageError

    console = Console(json=json, quiet=quiet)
    if not yes and not console.interactive:
        raise UsageError("nobody is here to agree", hint="--yes goes ahead.")
    words = {"project": project, "region": region, "service": service, "api_endpoint": api_endpoint}
    keeper = ready_made(console, config, target, words, set_)
    found = keeper.status()
    console.text(f"{found.name} on {found.target}, {len(found.revisions)} revisions, {found.url}")
    if not yes:
        console.agree("Take it away?")
    keeper.delete(lambda step: console.note(f"- {step}"))
    console.document({"deleted": found.name, "target": found.target})
    console.text(f"{found.name} is gone")
    return 0
