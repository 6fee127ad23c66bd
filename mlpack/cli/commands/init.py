"""`mlpack init`: write a commented mlpack.yaml for a model, or a CI workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlpack.cli.options import AsJson, Ci
from mlpack.cli.output.console import Console


def init(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH",
            help="Model file or folder. Required without --ci; with --ci, the default is `model:` in mlpack.yaml.",
        ),
    ] = None,
    ci: Annotated[
        Ci | None,
        typer.Option(
            "--ci",
            help="Write a CI workflow instead: build, test, push, deploy. It uses workload identity (on Cloud Build, the "
            "build's own account), so no service-account key file.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    json: AsJson = False,
) -> int:
    """Write a commented mlpack.yaml next to the model, and predict.py if the file cannot be served without one.

    With --ci, write a CI workflow into this folder instead.

    \b
    mlpack init model.pkl
    mlpack init --ci github model.pkl
    """
    from mlpack.artifacts.model import ModelInfo
    from mlpack.artifacts.model_reference import reference_of
    from mlpack.cli.wiring import make_line
    from mlpack.errors import UsageError
    from mlpack.scaffold.config_file import write_config
    from mlpack.scaffold.workflows import write_workflow

    console = Console(json=json)
    if ci is not None:
        target = write_workflow(ci.value, None if model is None else reference_of(model), Path.cwd(), force=force)
        console.document({"file": str(target)})
        console.text(f"Wrote {target}. Its first lines list what it requires.")
        return 0
    if model is None:
        raise UsageError("no model is named", hint="Example: `mlpack init model.pkl`.")
    # An existing mlpack.yaml is replaced, so its settings are ignored.
    line = make_line(model, console=console, ignore_config=True, local="ignore")
    written = write_config(line.model, lambda: line.run(line.model, ModelInfo), formats=line.tools.formats, force=force)
    console.document({"file": str(written.config), "predictor": str(written.predictor) if written.predictor else None})
    first = f"complete or check {written.predictor}, then " if written.predictor else ""
    console.text(f"Wrote {written.config}. Next: {first}mlpack build {model}")
    return 0
