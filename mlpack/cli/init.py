"""`mlpack init`: a commented mlpack.yaml made from the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlpack.cli.console import Console
from mlpack.cli.options import AsJson, ModelPath


def init(
    path: ModelPath = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a mlpack.yaml that is there.")] = False,
    json: AsJson = False,
) -> int:
    """Write a commented mlpack.yaml beside the model.

    \b
    mlpack init model.pkl
    """
    from mlpack.cli.context import make_context
    from mlpack.config import FILE_NAME, load_config
    from mlpack.errors import UsageError
    from mlpack.pipeline.receipts import write_whole
    from mlpack.pipeline.render import model_name
    from mlpack.templating import render

    console = Console(json=json)
    if path is None:
        raise UsageError("no model named", hint="`mlpack init model.pkl`.")
    target = (path if path.is_dir() else path.parent) / FILE_NAME
    if target.exists() and not force:
        raise UsageError(f"{target} exists", hint="--force replaces it.")
    info = make_context(path, console=console, config=Path("/dev/null") if force else None).inspect()
    values = {
        "file": info.path.name,
        "name": model_name(info.path),
        "summary": f"{info.root_class} of {info.framework} {info.framework_version or ''}".strip(),
        "entries": [content.key for content in info.contents if content.servable] if not info.signatures else [],
        "framework_known": info.framework_version is not None or info.framework != "scikit-learn",
        "missing": list(info.missing_modules),
        "signatures": [signature.name for signature in info.signatures],
    }
    write_whole(target, render("mlpack.yaml.j2", values))
    load_config(target)  # what we write, we take
    console.document({"file": str(target)})
    console.text(f"Wrote {target}. Next: mlpack build {path}")
    return 0
