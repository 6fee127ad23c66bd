"""`mlpack run`: serve an image on this machine, and print a request for it."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.options import (
    AsJson,
    ConfigFile,
    EngineOrProcess,
    Entry,
    Framework,
    ImageOrModel,
    Include,
    Predictor,
    Python,
    Quiet,
    Require,
    Sample,
    Sdist,
    Trust,
    Wheelhouse,
    refuse_model_options,
)  # fmt: skip
from mlpack.cli.output.console import Console


def run(
    image: ImageOrModel = None,
    port: Annotated[
        int, typer.Option("--port", "-p", min=0, max=65535, help="Port on this machine; 0 picks a free port.")
    ] = 0,
    memory: Annotated[str, typer.Option("--memory", help="Memory limit of the container.")] = "2GiB",
    engine: EngineOrProcess = None,
    entry: Entry = None,
    framework: Framework = None,
    python: Python = None,
    wheelhouse: Wheelhouse = None,
    include: Include = None,
    require: Require = None,
    sdist: Sdist = None,
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
    from mlpack.cli.engine_choice import choose_engine
    from mlpack.cli.output.running import follow_service
    from mlpack.cli.wiring import make_line
    from mlpack.pipeline.fetch import refuse_coordinator
    from mlpack.pipeline.service import serve
    from mlpack.pipeline.tools import Options
    from mlpack.pipeline.verify import limits_of

    console = Console(json=json, quiet=quiet)
    overrides = {
        "entry": entry, "framework": framework, "python": python, "build.wheelhouse": wheelhouse, "predictor": predictor,
        "sample": sample,
    }  # fmt: skip
    name, local = choose_engine(image, engine, console=console, config=config)
    if not local:
        refuse_model_options({**overrides, "include": include, "require": require, "sdist": sdist, "trust": trust})
    line = make_line(
        image if local else None,
        console=console,
        config=config,
        overrides=overrides,
        engine=name,
        local="run",
        command=f"run --port {port}" if port else "run",
        options=Options(
            include=tuple(include or ()),
            require=tuple(require or ()),
            sdist=tuple(sdist or ()),
            trust=trust,
            limits=limits_of(memory),
        ),
    )
    with serve(line, line.model if local else refuse_coordinator(line.image(image)), host_port=port) as service:
        return follow_service(console, service, engine=name, request_file=line.tools.workspace.request_file)
