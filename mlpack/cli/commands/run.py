"""`mlpack run`: serves an image on this machine and prints a request for it."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import (
    AsJson,
    ConfigFile,
    Engine,
    Entry,
    Framework,
    ImageOrModel,
    Include,
    Predictor,
    Python,
    Quiet,
    Sample,
    Trust,
    Wheelhouse,
)  # fmt: skip
from mlpack.cli.output.console import Console


def run(
    image: ImageOrModel = None,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="Port on this machine; 0 chooses a free one.")
    ] = 0,
    memory: Annotated[str, typer.Option("--memory", help="Memory limit of the container.")] = "2GiB",
    engine: Engine = "docker",
    entry: Entry = None,
    framework: Framework = None,
    python: Python = None,
    wheelhouse: Wheelhouse = None,
    include: Include = None,
    predictor: Predictor = None,
    sample: Sample = None,
    trust: Trust = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Serve an image on this machine, and print a curl command that sends a request to it. Ctrl-C stops it.

    \b
    mlpack run
    mlpack run churn:1.4.0 --port 8080
    mlpack run --engine process model.pkl
    """
    from mlpack.cli.local import make_local, only_with_process
    from mlpack.cli.running import serve
    from mlpack.cli.testing import limits_of
    from mlpack.cli.wiring import make_context

    console = Console(json=json, quiet=quiet)
    limits = limits_of(memory)
    words = {
        "entry": entry, "framework": framework, "python": python, "wheelhouse": wheelhouse, "include": include,
        "predictor": predictor, "sample": sample, "trust": trust,
    }  # fmt: skip
    only_with_process(engine, words)
    if engine == "process":
        local = make_local(image, console=console, config=config, words=words)
        what = f"{local.bundle.name}, a local process and not the image,"
        with local.start(limits, publish=port) as running:
            return serve(console, running, local.bundle.card, what=what, told={"image": None, "engine": engine})
    context = make_context(None, console=console, config=config, engine=engine)
    found = context.image(image)
    what = found.tags[0] if found.tags else found.id
    with context.engine.run(found, limits=limits, env={}, port=8080, publish=port) as running:
        return serve(console, running, found.card, what=what, told={"image": found.id, "engine": engine})
