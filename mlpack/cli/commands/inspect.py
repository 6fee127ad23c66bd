"""`mlpack inspect`: show what a model file contains, what it needs, and whether it is safe to load."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from mlpack.cli.options import (
    AsJson,
    ConfigFile,
    Entry,
    Framework,
    Include,
    Model,
    Predictor,
    Quiet,
    Require,
    Sample,
)  # fmt: skip
from mlpack.cli.output.console import Console


class Threshold(str, Enum):
    """The mildest verdict for which --fail-on fails."""

    unknown = "unknown"
    dangerous = "dangerous"


_FAILING = {Threshold.unknown: {"unknown", "dangerous"}, Threshold.dangerous: {"dangerous"}}


def inspect(
    model: Model = None,
    entry: Entry = None,
    framework: Framework = None,
    include: Include = None,
    require: Require = None,
    predictor: Predictor = None,
    sample: Sample = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="Also compute the SHA-256 of the file (reads all of it).")
    ] = False,
    fail_on: Annotated[
        Threshold | None, typer.Option("--fail-on", help="Exit with code 3 if the verdict is this one or a worse one.")
    ] = None,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Show what a model file contains, what it needs, and whether it is safe to load. Nothing in it is run.

    "To build" lists what `mlpack build` needs from you, and the command line that answers it.

    \b
    mlpack inspect model.pkl
    mlpack inspect bundle.joblib --entry model
    mlpack inspect model.pkl --include clean.py --sample rows.csv
    mlpack inspect model.pkl --json --fail-on unknown
    """
    from mlpack.artifacts.model import ModelInfo
    from mlpack.artifacts.needs import command_for
    from mlpack.cli.output.model import show
    from mlpack.cli.wiring import make_line
    from mlpack.errors import ModelError, UnsafeModelError
    from mlpack.pipeline.inspect import document, failure_document, sha256_of
    from mlpack.pipeline.tools import Options

    console = Console(json=json, quiet=quiet)
    overrides = {"entry": entry, "framework": framework, "predictor": predictor, "sample": sample}
    options = Options(include=tuple(include or ()), require=tuple(require or ()))
    line = make_line(model, console=console, config=config, overrides=overrides, local="ignore", options=options)
    try:
        info = line.run(line.model, ModelInfo)
    except ModelError as error:
        error.document = failure_document(line.config.model or Path(), error)
        raise
    examined = line.examine(info)
    info, command = examined.info, command_for(examined.needs, line.options.command)
    needs = tuple(one.shown for one in examined.needs)
    found = document(info, sha256_of(info.path) if digest else None, needs, command)
    show(console, info, found, needs, command)
    console.brief(info.safety.verdict)
    if fail_on is not None and info.safety.verdict in _FAILING[fail_on]:
        names = ", ".join(dict.fromkeys(finding.callable for finding in info.safety.findings))
        failure = UnsafeModelError(
            f"{info.path.name} is {info.safety.verdict}: {names}",
            hint=f"--fail-on {fail_on.value} makes this an error.",
        )
        failure.document = found
        raise failure
    console.document(found)
    return 0
