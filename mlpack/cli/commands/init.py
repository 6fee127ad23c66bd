"""`mlpack init`: a commented mlpack.yaml made from the model, or a CI workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlpack.cli.options import AsJson, Ci, ModelPath
from mlpack.cli.output.console import Console


def init(
    path: ModelPath = None,
    ci: Annotated[
        Ci | None, typer.Option("--ci", help="Write a workflow instead: build, test, push, deploy, without key files.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: AsJson = False,
) -> int:
    """Write a commented mlpack.yaml beside the model; with --ci a CI's workflow into this folder.

    \b
    mlpack init model.pkl
    mlpack init --ci github model.pkl
    """
    from mlpack.artifacts.model import ModelInfo
    from mlpack.cli.wiring import make_line
    from mlpack.errors import UsageError
    from mlpack.scaffold.config_file import write_config
    from mlpack.scaffold.workflows import write_workflow

    console = Console(json=json)
    if ci is not None:
        target = write_workflow(ci.value, path, Path.cwd(), force=force)
        console.document({"file": str(target)})
        console.text(f"Wrote {target}. Its first lines say what it needs.")
        return 0
    if path is None:
        raise UsageError("no model is named", hint="`mlpack init model.pkl`.")
    line = make_line(
        path, console=console, ignore_config=True
    )  # the file that is there has no part in what replaces it
    written = write_config(path, lambda: line.run(path, ModelInfo), force=force)
    console.document({"file": str(written.config), "predictor": str(written.predictor) if written.predictor else None})
    first = f"fill in {written.predictor}, then " if written.predictor else ""
    console.text(f"Wrote {written.config}. Next: {first}mlpack build {path}")
    return 0
