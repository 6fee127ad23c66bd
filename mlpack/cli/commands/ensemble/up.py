"""`mlpack ensemble up`: start an ensemble on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.ensembles import DEFAULT_FILE, Choices, File, Offline, local_release, make_assembly, runner_of
from mlpack.cli.options import AsJson, Engine, Quiet, Refresh, Trust
from mlpack.cli.output.console import Console


def up(
    file: File = DEFAULT_FILE,
    port: Annotated[
        int | None,
        typer.Option("--port", "-p", min=1, max=65535, help="Port on this machine. Default: its current one, or 8080."),
    ] = None,
    offline: Offline = False,
    trust: Trust = False,
    refresh: Refresh = False,
    engine: Engine = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Build what has changed, start all containers with compose, and wait until the ensemble answers.

    Only the coordinator is reachable, on 127.0.0.1. If the ensemble runs already, only what has changed is replaced; a member
    is replaced without a failed request.

    \b
    mlpack ensemble up
    mlpack ensemble up churn/ensemble.yaml --port 9000
    """
    from mlpack.cli.output.running import curl_line
    from mlpack.pipeline.tools import Options

    console = Console(json=json, quiet=quiet)
    options = Options(trust=trust, refresh=refresh)
    assembly = make_assembly(file, console, Choices(engine=engine, offline=offline), options=options)
    runner = runner_of(assembly, port)
    built = assembly.build()
    tools = assembly.coordinator.tools
    live = runner.up(local_release(assembly, built), lambda step: tools.reporter.note(f"- {step}"))
    line = curl_line(built.coordinator.card, live.endpoint.url, tools.workspace.request_file)
    members = [
        {"name": one.name, "container": assembly.service(one) if one.url is None else None, "url": one.url}
        for one in assembly.ensemble.members
    ]
    console.document({"url": live.endpoint.url, "members": members, "image": live.image, "curl": line})
    console.text(f"{assembly.ensemble.name} serves at {live.endpoint.url}. Send a request:")
    console.text()
    console.text(line)
    console.text()
    console.text(f"Stop it: mlpack ensemble down {file}")
    console.brief(live.endpoint.url)
    return 0
