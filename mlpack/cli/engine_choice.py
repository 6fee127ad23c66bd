"""The engine of a command: its name, and the connection to it."""

from __future__ import annotations

import os
from pathlib import Path

from mlpack.cli.output.console import Console
from mlpack.cli.settings import load_config_for
from mlpack.engines.base import Engine
from mlpack.errors import EngineUnavailableError, MlpackError, UsageError
from mlpack.plugins import load
from mlpack.workspace import Workspace

_NOT_THE_IMAGE = "this is not the image: a local process loads the model on this machine, and there is no receipt"


def choose_engine(
    reference: str | None, engine: str | None, *, console: Console, config: Path | None
) -> tuple[str, bool]:
    """The name of the engine, and whether it is a LocalRunner, which runs a model and not an image.

    The engine is the option --engine, else that of the mlpack.yaml beside `reference`. Raises UsageError, ConfigError.
    """
    if engine is None:
        exists = reference is not None and os.path.exists(reference)  # noqa: PTH110 - Path's raises for a long text
        model = Path(reference) if reference is not None and exists else None
        engine = load_config_for(model, Workspace(Path.cwd()), config=config, of_last_image=reference is None).engine
    local = bool(load("engines", engine).is_local)
    if local:
        console.warn(_NOT_THE_IMAGE)
    return engine, local


def connect_engine(name: str) -> Engine:
    """Connect to the engine; raises EngineUnavailableError, also for a LocalRunner."""
    kind = load("engines", name)
    if kind.is_local:
        raise no_images(name, EngineUnavailableError)
    try:
        connected: Engine = kind.connect()
    except EngineUnavailableError as error:
        error.hint += " To test a model without one, use `mlpack test --engine process MODEL`."
        raise
    return connected


def no_images(name: str, error: type[MlpackError] = UsageError) -> MlpackError:
    """The error for a command that needs images, with a LocalRunner as its engine."""
    return error(
        f"the engine `{name}` runs a model as a local process; it cannot build, run or push images",
        hint=f"Choose another engine: --engine docker. Only `mlpack test` and `mlpack run` accept --engine {name}.",
    )
