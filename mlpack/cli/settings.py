"""Settings of a command: mlpack.yaml, the cache folder, and the sources of packages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpack.artifacts.model_reference import ModelReference
from mlpack.config import Config, find_config, load_config
from mlpack.errors import UsageError
from mlpack.packages.settings import PackageSettings, read_settings
from mlpack.workspace import Workspace


def load_config_for(
    model: ModelReference | None,
    workspace: Workspace,
    *,
    config: Path | None,
    of_last_image: bool = False,
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """Load mlpack.yaml: `config`, else with `of_last_image` that of the last build, else beside the model or in this folder.

    Raises UsageError, ConfigError.
    """
    if config is not None and not config.is_file():
        raise UsageError(f"no file {config}", hint="--config names a mlpack.yaml.")
    last = workspace.last_built() if of_last_image else None
    file = config or (last.config if last else None) or find_config(model, workspace.folder)
    named = {} if model is None else {"model": model}
    return load_config(None if file is None else file.resolve(), overrides={**(overrides or {}), **named})


def package_settings(config: Config, folder: Path) -> PackageSettings:
    """The sources of packages: the user's pip and uv settings, and the CA bundle in mlpack.yaml."""
    settings = read_settings(os.environ, folder)
    if config.build.ca_bundle is not None:
        settings = replace(settings, ca_bundle=config.build.ca_bundle)
    return settings
