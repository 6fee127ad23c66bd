"""`mlpack init --ci`: a CI workflow that builds, tests, pushes and deploys a model."""

from __future__ import annotations

import shlex
from pathlib import Path

from mlpack.artifacts.model_reference import ModelReference
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


def write_workflow(ci: str, model: ModelReference | None, folder: Path, *, force: bool) -> Path:
    """Write the workflow for a CI system (github, gitlab, cloudbuild) into `folder`, the root of the repository."""
    file = find_config(model, folder)
    config = load_config(None if file is None else file.resolve())
    model = model or config.model
    if model is None:
        raise UsageError("no model is named", hint=f"Example: `mlpack init --ci {ci} model.pkl`.")
    if isinstance(model, Path):
        if not model.exists():
            raise UsageError(f"there is no file {model}", hint="Give the model's path in the repository.")
        if not model.resolve().is_relative_to(folder):
            raise UsageError(
                f"{model} is outside of this folder", hint="Run the command in the root of the repository."
            )
    name, template = _FILES[ci]
    target = folder / name
    if target.exists() and not force:
        raise UsageError(f"{target} already exists", hint="--force replaces it.")
    service = service_name(config, model)
    at = None if file is None else file.resolve().relative_to(folder)
    # `mlpack deploy IMAGE` finds a mlpack.yaml in the root by itself; any other needs --config.
    option = f" --config {shlex.quote(at.as_posix())}" if at is not None and len(at.parts) > 1 else ""
    name_in_repository = model.resolve().relative_to(folder).as_posix() if isinstance(model, Path) else model
    values = {"model": name_in_repository, "service": shlex.quote(service), "config": option}
    write_atomically(target, render(template, values))
    return target
