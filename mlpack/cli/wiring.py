"""The composition root: puts a command's line together from its options, mlpack.yaml and what is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack.cli.output.console import Console
from mlpack.errors import EngineUnavailableError, UsageError

if TYPE_CHECKING:
    from mlpack.config import Config
    from mlpack.packages.settings import PackageSettings
    from mlpack.pipeline.line import Line
    from mlpack.pipeline.tools import Options, Reporter
    from mlpack.registries.destinations import Destination
    from mlpack.targets.base import Target
    from mlpack.workspace import Workspace

LOCAL = "process"  # the engine that is a local runner
_NOT_THE_IMAGE = "not the image: this is a local process, which loads the model on this machine; it gives no receipt"


def make_line(
    path: Path | None = None,
    *,
    console: Console,
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    remembered: bool = False,
    ignore_config: bool = False,
    engine: str = "docker",
    options: Options | None = None,
    reporter: Reporter | None = None,
    target: Callable[[Config, str | None], Target | None] = lambda _config, _name: None,
    destination: Callable[[Config, Target | None, str], Destination | None] = lambda _config, _target, _name: None,
) -> Line:
    """A command's line; `path` is the model's; `remembered` takes the mlpack.yaml of the image that was built last.

    `target` and `destination` make theirs when the line needs them, with the image's name. Raises UsageError, ConfigError.
    """
    from mlpack.cli.output.reporter import ConsoleReporter
    from mlpack.config import Config
    from mlpack.pipeline.line import Line
    from mlpack.pipeline.tools import Options, Tools
    from mlpack.plugins import load, names
    from mlpack.workspace import Workspace

    workspace = Workspace(Path.cwd())
    loaded = (
        Config(model=path)
        if ignore_config
        else load_config_for(path, workspace, config=config, remembered=remembered, overrides=overrides)
    )
    if engine == LOCAL:
        console.warn(_NOT_THE_IMAGE)
    tools = Tools(
        formats={name: load("formats", name)() for name in names("formats")},
        sources=[load("sources", name)() for name in names("sources")],
        engine_name=engine,
        connect=cache(lambda: _connect(engine)),
        local=load("engines", LOCAL)(cache_dir()) if engine == LOCAL else None,
        packages=cache(lambda: _package_settings(loaded, workspace.folder)),
        target=cache(lambda name: target(loaded, name)),
        destination=lambda found, name: destination(loaded, found, name),
        runtime_requirements=(Path(__file__).parents[1] / "runtime" / "requirements.txt").read_text(encoding="utf-8"),
        cache=cache_dir(),
        workspace=workspace,
        reporter=reporter or ConsoleReporter(console),
    )
    return Line(config=loaded, tools=tools, options=options or Options())


def load_config_for(
    path: Path | None,
    workspace: Workspace,
    *,
    config: Path | None,
    remembered: bool = False,
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """mlpack.yaml of a model: `config`, the last image's when `remembered`, the one beside the model, or in this folder."""
    from mlpack.config import find_config, load_config

    if config is not None and not config.is_file():
        raise UsageError(f"no file {config}", hint="--config names a mlpack.yaml.")
    last = workspace.last_built() if remembered else None
    file = config or (last.config if last else None) or find_config(path, workspace.folder)
    named = {} if path is None else {"model": path}
    return load_config(None if file is None else file.resolve(), overrides={**(overrides or {}), **named})


def cache_dir() -> Path:
    """Where what can be made again is kept between runs: MLPACK_CACHE, else the user's cache folder."""
    named = os.environ.get("MLPACK_CACHE")
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else (Path(home) if home else Path.home() / ".cache") / "mlpack"


def _connect(engine: str) -> Any:
    from mlpack.plugins import load

    try:
        return load("engines", engine).connect()
    except EngineUnavailableError as error:
        error.hint += f" Without one, `mlpack test --engine {LOCAL} MODEL` tries the model as a local process."
        raise


def _package_settings(config: Config, folder: Path) -> PackageSettings:
    """Where packages come from: the user's pip and uv settings, and mlpack.yaml's CA bundle."""
    from mlpack.packages.settings import read_settings

    settings = read_settings(os.environ, folder)
    if config.build.ca_bundle is not None:
        settings = replace(settings, ca_bundle=config.build.ca_bundle)
    return settings
