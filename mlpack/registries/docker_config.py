"""The docker CLI's configuration: where it is, and what it says of engines and registries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack.errors import EngineUnavailableError


def config_folder(environ: Mapping[str, str]) -> Path:
    """Where the docker CLI keeps its configuration."""
    return Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def config_file(environ: Mapping[str, str]) -> Path:
    """The docker CLI's config.json, whether or not it is there."""
    return config_folder(environ) / "config.json"


def read_config(environ: Mapping[str, str]) -> dict[str, Any]:
    """What config.json says; empty when it is missing. Raises EngineUnavailableError when it is not JSON."""
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
