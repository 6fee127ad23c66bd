"""`mlpack init --ci`: the workflow of a CI that takes the model from its file to a service."""

from __future__ import annotations

import shlex
from pathlib import Path

from mlpack.artifacts.reference import Reference
from mlpack.config import find_config, load_config
from mlpack.errors import UsageError
from mlpack.pipeline.render import service_name
from mlpack.templating import render
from mlpack.workspace import write_atomically

_FILES = {
    "github": (".github/workflows/mlpack.yml", "ci-github.yml.j2"),
    "gitlab": (".gitlab-ci.yml", "ci-gitlab.yml.j2"),
    "cloudbuild": ("cloudbuild.yaml", "ci-cloudbuild.yaml.j2"),
}


def write_workflow(ci: str, model: Reference | None, folder: Path, *, force: bool) -> Path:
    """Write the workflow of a CI (github, gitlab, cloudbuild) into `folder`, the root of the repository."""
    file = find_config(model, folder)
    config = load_config(None if file is None else file.resolve())
    model = model or config.model
    if model is None:
        raise UsageError("no model named", hint=f"`mlpack init --ci {ci} model.pkl`.")
    if isinstance(model, Path):
        if not model.exists():
            raise UsageError(f"there is no {model}", hint="The model's path as it is in the repository.")
        if not model.resolve().is_relative_to(folder):
            raise UsageError(f"{model} is outside of this folder", hint="Run it in the repository's root.")
    name, template = _FILES[ci]
    target = folder / name
    if target.exists() and not force:
        raise UsageError(f"{target} exists", hint="--force replaces it.")
    service = service_name(config, model)
    at = None if file is None else file.resolve().relative_to(folder)
    # An image alone does not tell where its mlpack.yaml is; one in the root is found by itself.
    words = f" --config {shlex.quote(at.as_posix())}" if at is not None and len(at.parts) > 1 else ""
    named = model.resolve().relative_to(folder).as_posix() if isinstance(model, Path) else model
    values = {"model": named, "service": shlex.quote(service), "config": words}
    write_atomically(target, render(template, values))
    return target
