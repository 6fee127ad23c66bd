"""The composition root: builds a command's line from its options, mlpack.yaml and the installed plugins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mlpack.artifacts.model_reference import reference_of
from mlpack.cli.command_line import command_line
from mlpack.cli.engine_choice import connect_engine, no_images
from mlpack.cli.output.console import Console
from mlpack.cli.output.reporter import ConsoleReporter
from mlpack.cli.settings import load_config_for, package_settings
from mlpack.config import Config
from mlpack.formats.base import installed_formats
from mlpack.pipeline.line import Line
from mlpack.pipeline.tools import Options, Reporter, Tools
from mlpack.plugins import load, names
from mlpack.workspace import Workspace, cache_dir

if TYPE_CHECKING:
    from mlpack.registries.destinations import Destination
    from mlpack.targets.base import Target


def make_line(
    model: str | None = None,
    *,
    console: Console,
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    of_last_image: bool = False,
    ignore_config: bool = False,
    loaded: Config | None = None,
    engine: str | None = None,
    local: Literal["run", "refuse", "ignore"] = "refuse",
    command: str = "build",
    options: Options | None = None,
    reporter: Reporter | None = None,
    target: Callable[[Config, str | None], Target | None] = lambda _config, _name: None,
    destination: Callable[[Config, Target | None, str], Destination | None] = lambda _config, _target, _name: None,
) -> Line:
    """Make a command's line for `model`; `of_last_image` uses the mlpack.yaml of the image that was built last.

    `loaded` are settings that replace mlpack.yaml and options.
    `engine` is the option --engine. `local` decides about an engine that is a LocalRunner: run the model with it, refuse it,
    or ignore it in a command that needs no engine. `command` is the one whose line answers the needs of the model. `target`
    and `destination` are called when the line needs them, with the image's name. Raises UsageError, ConfigError.
    """
    workspace = Workspace(Path.cwd())
    reference = None if model is None else reference_of(model)
    loaded = loaded or (
        Config(model=reference)
        if ignore_config
        else load_config_for(
            reference,
            workspace,
            config=config,
            of_last_image=of_last_image,
            overrides={**(overrides or {}), "engine": engine},
        )
    )
    kind = None if local == "ignore" else load("engines", loaded.engine)
    if kind is not None and kind.is_local and local == "refuse":
        raise no_images(loaded.engine)
    tools = Tools(
        formats=installed_formats(),
        sources=[load("sources", name)() for name in names("sources")],
        engine_name=loaded.engine,
        connect=cache(lambda: connect_engine(loaded.engine)),
        local=kind(cache_dir()) if kind is not None and kind.is_local else None,
        packages=cache(lambda: package_settings(loaded, workspace.folder)),
        target=cache(lambda name: target(loaded, name)),
        destination=lambda found, name: destination(loaded, found, name),
        runtime_requirements=(Path(__file__).parents[1] / "runtime" / "requirements.txt").read_text(encoding="utf-8"),
        cache=cache_dir(),
        workspace=workspace,
        reporter=reporter or ConsoleReporter(console),
    )
    options = options or Options()
    typed = command_line(command, model, overrides=overrides or {}, options=options, config=config, engine=engine)
    return Line(config=loaded, tools=tools, options=replace(options, command=typed))
