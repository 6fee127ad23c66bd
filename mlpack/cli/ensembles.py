"""What the commands of `mlpack ensemble` share: the assembly of an ensemble.yaml, its release, and its target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlpack.artifacts.image import Image
from mlpack.errors import NotVerifiedError, UsageError
from mlpack.pipeline.build import tags_of

if TYPE_CHECKING:
    from mlpack.artifacts.bundle import Bundle
    from mlpack.artifacts.release import Component, Release
    from mlpack.artifacts.report import Report
    from mlpack.cli.output.console import Console
    from mlpack.ensembles.assembly import Assembly, Built, Described
    from mlpack.ensembles.file import MemberEntry
    from mlpack.pipeline.line import Line
    from mlpack.pipeline.tools import Options, Reporter
    from mlpack.targets.base import EnsembleRunner
    from mlpack.workspace import Workspace

File = Annotated[
    Path, typer.Argument(metavar="FILE", help="An ensemble.yaml, or a folder with one.", show_default="ensemble.yaml")
]
Offline = Annotated[
    bool, typer.Option("--offline", help="A member whose URL does not answer is a warning, not an error.")
]
DEFAULT_FILE = Path("ensemble.yaml")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The options that every step of an ensemble takes."""

    engine: str | None = None
    platform: str | None = None
    offline: bool = False
    without_engine: bool = False
    models: bool = True  # False: the files of the models are not needed


def make_assembly(
    file: Path,
    console: Console,
    choices: Choices,
    *,
    options: Options | None = None,
    reporter: Reporter | None = None,
) -> Assembly:
    """The assembly of an ensemble.yaml. Raises ConfigError with file and line."""
    from mlpack.cli.wiring import make_line
    from mlpack.config import load_config
    from mlpack.ensembles.assembly import Assembly, service_of
    from mlpack.ensembles.file import read_ensemble

    ensemble, lines = read_ensemble(file, models=choices.models)
    local: Any = "ignore" if choices.without_engine else "refuse"

    def coordinator() -> Line:
        overrides: dict[str, Any] = {
            "name": ensemble.name, "version": ensemble.version, "serve": ensemble.serve, "sample": ensemble.sample,
            "include": (ensemble.reduce_file,) if ensemble.reduce_file else None, "build.platform": choices.platform,
            "engine": choices.engine, "deploy": ensemble.deploy, "test": ensemble.test, "templates": ensemble.templates,
        }  # fmt: skip
        if ensemble.repository:
            overrides["image.repository"] = f"{ensemble.repository}/{ensemble.name}"
        return make_line(
            console=console, loaded=load_config(None, overrides=overrides), local=local, command="ensemble build",
            options=options, reporter=reporter,
        )  # fmt: skip

    def member(entry: MemberEntry) -> Line:
        overrides: dict[str, Any] = {"name": service_of(ensemble, entry), "build.platform": choices.platform}
        if ensemble.repository:
            overrides["image.repository"] = f"{ensemble.repository}/{service_of(ensemble, entry)}"
        return make_line(
            str(entry.model), console=console, config=entry.config, overrides=overrides, engine=choices.engine, local=local,
            options=options, reporter=reporter,
        )  # fmt: skip

    return Assembly(
        ensemble=ensemble, lines=lines, coordinator=coordinator(), member_line=member, offline=choices.offline
    )  # fmt: skip


def local_release(assembly: Assembly, built: Built) -> Release:
    """The release of the images in the engine; the coordinator is its first component."""
    from mlpack.artifacts.release import Component, Release

    workspace = assembly.coordinator.tools.workspace
    coordinator = Component(
        name=built.ensemble.name,
        image=built.coordinator,
        report=_report(workspace, built.coordinator),
        reference=built.coordinator.id,
    )
    members = [
        _member(assembly, entry, image, report=_report(workspace, image), reference=image.id)
        for entry in built.ensemble.members
        if (image := built.members.get(entry.name)) is not None
    ]
    return Release(components=(coordinator, *members))


def rendered_release(
    assembly: Assembly, described: Described, coordinator: Bundle, members: Mapping[str, Bundle]
) -> Release:
    """The release of images that are not built yet, by their tags."""
    from mlpack.artifacts.release import Component, Release

    def image(bundle: Bundle) -> Image:
        return Image(
            id="", tags=tags_of(bundle, ()), size=0, platform=bundle.lock.platform, card=bundle.card, labels={}
        )

    first = image(coordinator)
    components = [Component(name=assembly.ensemble.name, image=first, report=None, reference=first.tags[0])]
    for entry in assembly.ensemble.members:
        if entry.name in members:
            found = image(members[entry.name])
            components.append(_member(assembly, entry, found, report=None, reference=found.tags[0]))
        elif entry.image is not None:
            pulled = described.images[entry.name]
            components.append(_member(assembly, entry, pulled, report=None, reference=entry.image))
    return Release(components=tuple(components))


def _member(
    assembly: Assembly, entry: MemberEntry, image: Image, *, report: Report | None, reference: str
) -> Component:
    from mlpack.artifacts.release import Component

    return Component(
        name=assembly.service(entry), image=image, report=report, reference=reference, member=entry.name,
        required=entry.required, settings=entry.deploy.get("compose") or {},
    )  # fmt: skip


def runner_of(assembly: Assembly, port: int | None = None) -> EnsembleRunner:
    """What runs the containers of the ensemble on this machine. Raises UsageError, ConfigError."""
    from mlpack.cli.target_choice import make_target

    line = assembly.coordinator
    target = make_target(
        line.config, "compose", assembly.ensemble.name, (), () if port is None else (f"port={port}",),
        workspace=line.tools.workspace, name=None,
    )  # fmt: skip
    runner: EnsembleRunner | None = getattr(target, "ensemble", None)
    if runner is None:
        raise UsageError(f"the target {target.name} runs no ensembles", hint="Use the target compose.")
    return runner


def _report(workspace: Workspace, image: Image) -> Report | None:
    try:
        return workspace.receipt(image).report
    except NotVerifiedError:
        return None
