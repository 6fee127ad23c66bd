"""`mlpack init`: a commented mlpack.yaml made from the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlpack.cli.options import AsJson, Ci, ModelPath
from mlpack.cli.output.console import Console

if TYPE_CHECKING:
    from mlpack.artifacts.model import ModelInfo
    from mlpack.formats.base import Format


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
    from mlpack.cli.wiring import Context
    from mlpack.config import FILE_NAME, load_config
    from mlpack.errors import UsageError
    from mlpack.packages.wanted import version_is_missing
    from mlpack.pipeline.render import model_name
    from mlpack.templating import render
    from mlpack.workspace import write_whole

    console = Console(json=json)
    if ci is not None:
        from mlpack.cli.workflows import write_workflow

        return write_workflow(console, ci, path, force=force)
    if path is None:
        raise UsageError("no model named", hint="`mlpack init model.pkl`.")
    target = (path if path.is_dir() else path.parent) / FILE_NAME
    if target.exists() and not force:
        raise UsageError(f"{target} exists", hint="--force replaces it.")
    # The file that is there has no say in what replaces it.
    context = Context(console=console, config=load_config(None), path=path, folder=Path.cwd())
    info = context.inspect()
    stub = _stub(context.formats.get(info.format), info, target.parent, force=force)
    values = {
        "file": info.path.name,
        "name": model_name(info.path),
        "summary": f"{info.root_class} of {info.framework} {info.framework_version or ''}".strip(),
        "entries": [content.key for content in info.contents if content.servable] if not info.signatures else [],
        "framework": info.framework if version_is_missing(info) else "",
        "missing": _needed(info),
        "include": _includes(info, target.parent),
        # Its methods are known, but not how many columns they take.
        "sample_needed": bool(info.methods) and not info.signatures and not info.contents,
        "signatures": [signature.name for signature in info.signatures],
        "predictor": stub.name if stub is not None else "",
    }
    write_whole(target, render("mlpack.yaml.j2", values))
    load_config(target)  # what we write, we take
    console.document({"file": str(target), "predictor": str(stub) if stub is not None else None})
    console.text(f"Wrote {target}. Next: {f'fill in {stub}, then ' if stub is not None else ''}mlpack build {path}")
    return 0


def _stub(format_: Format | None, info: ModelInfo, folder: Path, *, force: bool) -> Path | None:
    """Write the predict.py to fill in that the format gives for this file; None where the file is served without one."""
    from mlpack.workspace import write_whole

    text = None if format_ is None else format_.predictor_stub(info)
    if text is None:
        return None
    target = folder / "predict.py"
    if force or not target.exists():  # one that is there is the user's, filled in already
        write_whole(target, text)
    return target


def _needed(info: ModelInfo) -> list[str]:
    """The names that only the user's own code can bring, such as `__main__.Cleaner`."""
    return [name for name in dict.fromkeys(finding.callable for finding in info.safety.findings) if _own(info, name)]


def _own(info: ModelInfo, name: str) -> bool:
    return any(name.startswith(f"{module}.") for module in info.missing_modules)


def _includes(info: ModelInfo, folder: Path) -> list[str]:
    """The files around the model that define what it needs, as mlpack.yaml names them."""
    from mlpack.usercode.nearby import find_class, find_module

    found = []
    for name in _needed(info):
        module, _, inner = name.rpartition(".")
        hint = find_class(inner, info.path, folder) if module == "__main__" else find_module(module, info.path, folder)
        found += [hint.include] if hint else []
    return list(dict.fromkeys(found))
