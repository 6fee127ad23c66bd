"""The composition root: puts a command's line together from its options, mlpack.yaml and what is installed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlpack.cli.output.console import Console
from mlpack.errors import EngineUnavailableError, MlpackError, UsageError

if TYPE_CHECKING:
    from mlpack.artifacts.reference import Reference
    from mlpack.config import Config
    from mlpack.engines.base import Engine
    from mlpack.packages.settings import PackageSettings
    from mlpack.pipeline.line import Line
    from mlpack.pipeline.tools import Options, Reporter
    from mlpack.registries.destinations import Destination
    from mlpack.targets.base import Target
    from mlpack.workspace import Workspace

_NOT_THE_IMAGE = "not the image: this is a local process, which loads the model on this machine; it gives no receipt"


def make_line(
    model: str | None = None,
    *,
    console: Console,
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    remembered: bool = False,
    ignore_config: bool = False,
    engine: str | None = None,
    local: Literal["run", "refuse", "ignore"] = "refuse",
    options: Options | None = None,
    reporter: Reporter | None = None,
    target: Callable[[Config, str | None], Target | None] = lambda _config, _name: None,
    destination: Callable[[Config, Target | None, str], Destination | None] = lambda _config, _target, _name: None,
) -> Line:
    """A command's line for the model that the user named; `remembered` takes the mlpack.yaml of the image that was built last.

    `engine` is the option --engine; `local` says what happens when the engine chosen there or in mlpack.yaml is a LocalRunner:
    it runs the model, it is refused, or it is ignored by a command that can do without an engine. `target` and `destination`
    make theirs when the line needs them, with the image's name. Raises UsageError, ConfigError.
    """
    from mlpack.artifacts.reference import reference_of
    from mlpack.cli.output.reporter import ConsoleReporter
    from mlpack.config import Config
    from mlpack.formats.base import installed_formats
    from mlpack.pipeline.line import Line
    from mlpack.pipeline.tools import Options, Tools
    from mlpack.plugins import load, names
    from mlpack.workspace import Workspace

    workspace = Workspace(Path.cwd())
    reference = None if model is None else reference_of(model)
    loaded = (
        Config(model=reference)
        if ignore_config
        else load_config_for(
            reference,
            workspace,
            config=config,
            remembered=remembered,
            overrides={**(overrides or {}), "engine": engine},
        )
    )
    kind = None if local == "ignore" else load("engines", loaded.engine)
    if kind is not None and kind.is_local and local == "refuse":
        raise _no_images(loaded.engine, UsageError)
    tools = Tools(
        formats=installed_formats(),
        sources=[load("sources", name)() for name in names("sources")],
        engine_name=loaded.engine,
        connect=cache(lambda: _connect(loaded.engine)),
        local=kind(cache_dir()) if kind is not None and kind.is_local else None,
        packages=cache(lambda: _package_settings(loaded, workspace.folder)),
        target=cache(lambda name: target(loaded, name)),
        destination=lambda found, name: destination(loaded, found, name),
        runtime_requirements=(Path(__file__).parents[1] / "runtime" / "requirements.txt").read_text(encoding="utf-8"),
        cache=cache_dir(),
        workspace=workspace,
        reporter=reporter or ConsoleReporter(console),
    )
    return Line(config=loaded, tools=tools, options=options or Options())


def choose_engine(
    reference: str | None, engine: str | None, *, console: Console, config: Path | None
) -> tuple[str, bool]:
    """The engine's name for a command that runs an image or a model, and whether it is a LocalRunner, which takes a model.

    It is the option --engine, else that of the mlpack.yaml beside what `reference` names. Raises UsageError, ConfigError.
    """
    from mlpack.plugins import load
    from mlpack.workspace import Workspace

    if engine is None:
        there = Path(reference) if reference is not None and os.path.exists(reference) else None  # noqa: PTH110 - any text
        engine = load_config_for(there, Workspace(Path.cwd()), config=config, remembered=reference is None).engine
    local = bool(load("engines", engine).is_local)
    if local:
        console.warn(_NOT_THE_IMAGE)
    return engine, local


def load_config_for(
    model: Reference | None,
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
    file = config or (last.config if last else None) or find_config(model, workspace.folder)
    named = {} if model is None else {"model": model}
    return load_config(None if file is None else file.resolve(), overrides={**(overrides or {}), **named})


def cache_dir() -> Path:
    """Where what can be made again is kept between runs: MLPACK_CACHE, else the user's cache folder."""
    named = os.environ.get("MLPACK_CACHE")
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(named) if named else (Path(home) if home else Path.home() / ".cache") / "mlpack"


def _connect(name: str) -> Engine:
    from mlpack.plugins import load

    kind = load("engines", name)
    if kind.is_local:
        raise _no_images(name, EngineUnavailableError)
    try:
        connected: Engine = kind.connect()
    except EngineUnavailableError as error:
        error.hint += " Without one, `mlpack test --engine process MODEL` tries the model as a local process."
        raise
    return connected


def _no_images(name: str, error: type[MlpackError]) -> MlpackError:
    return error(
        f"the engine `{name}` runs a model as a process of this machine; it builds, runs and pushes no images",
        hint=f"Choose another engine: --engine docker. `mlpack test --engine {name} MODEL` and `mlpack run` take this one.",
    )


def _package_settings(config: Config, folder: Path) -> PackageSettings:
    """Where packages come from: the user's pip and uv settings, and mlpack.yaml's CA bundle."""
    from mlpack.packages.settings import read_settings

    settings = read_settings(os.environ, folder)
    if config.build.ca_bundle is not None:
        settings = replace(settings, ca_bundle=config.build.ca_bundle)
    return settings
