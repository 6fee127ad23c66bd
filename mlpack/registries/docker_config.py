"""The docker CLI's configuration: its folder, and the contents of config.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack.errors import EngineUnavailableError


def config_folder(environ: Mapping[str, str]) -> Path:
    """The folder of the docker CLI's configuration."""
    return Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def config_file(environ: Mapping[str, str]) -> Path:
    """The path of the docker CLI's config.json, which may not exist."""
    return config_folder(environ) / "config.json"


def read_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """The contents of config.json; empty if it does not exist. Raises EngineUnavailableError if it is not JSON."""
    path = config_file(environ)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EngineUnavailableError(
            f"Docker's configuration {path} cannot be read: {error}", hint="Repair or remove that file."
        ) from error
    return config if isinstance(config, dict) else {}
