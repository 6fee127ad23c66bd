"""`mlpack run`: serves an image here, and says how to ask it."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.console import Console
from mlpack.cli.options import AsJson, ConfigFile, ImageName, Quiet


def run(
    image: ImageName = None,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="Port on this machine; 0 is any free one.")
    ] = 0,
    memory: Annotated[str, typer.Option("--memory", help="The container's memory limit.")] = "2GiB",
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Serve an image here on a free port, and print a curl line that asks it. Ctrl-C ends it.

    \b
    mlpack run
    mlpack run churn:1.4.0 --port 8080
    """
    from mlpack.cli.context import make_context
    from mlpack.cli.running import curl_line, follow, wait_ready
    from mlpack.cli.testing import limits_of

    console = Console(json=json, quiet=quiet)
    context = make_context(None, console=console, config=config)
    found = context.image(image)
    with context.engine.run(found, limits=limits_of(memory), env={}, port=8080, publish=port) as running:
        with console.progress("starting") as _:
            wait_ready(running)
        line = curl_line(found.card, running.url)
        console.document({"url": running.url, "image": found.id, "curl": line})
        console.text(f"Serving {found.tags[0] if found.tags else found.id} at {running.url}; Ctrl-C ends it. Ask it:\n")
        console.text(line + "\n")
        console.brief(running.url)
        return follow(running)
