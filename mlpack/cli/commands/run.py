"""`mlpack run`: serves an image here, and says how to ask it."""

from __future__ import annotations

from pathlib import Path
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
    only_local,
)  # fmt: skip
from mlpack.cli.output.console import Console


def run(
    image: ImageOrModel = None,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="Port on this machine; 0 is any free one.")
    ] = 0,
    memory: Annotated[str, typer.Option("--memory", help="The container's memory limit.")] = "2GiB",
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
    """Serve an image here on a free port, and print a curl line that asks it. Ctrl-C ends it.

    \b
    mlpack run
    mlpack run churn:1.4.0 --port 8080
    mlpack run --engine process model.pkl
    """
    from mlpack.cli.output.running import follow_service
    from mlpack.cli.wiring import LOCAL, make_line
    from mlpack.pipeline.service import serve
    from mlpack.pipeline.tools import Options
    from mlpack.pipeline.verify import limits_of

    console = Console(json=json, quiet=quiet)
    words = {
        "entry": entry, "framework": framework, "python": python, "build.wheelhouse": wheelhouse, "predictor": predictor,
        "sample": sample,
    }  # fmt: skip
    only_local(engine, {**words, "include": include, "trust": trust})
    options = Options(include=tuple(include or ()), trust=trust, limits=limits_of(memory))
    model = Path(image) if engine == LOCAL and image is not None else None
    line = make_line(model, console=console, config=config, overrides=words, engine=engine, options=options)
    with serve(line, line.model if engine == LOCAL else line.image(image), publish=port) as service:
        return follow_service(console, service, engine=engine)
