"""`mlpack deploy`: release a tested image as a service, verified before and after it gets traffic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mlpack.cli import target_options as take
from mlpack.cli.options import AsJson, Engine, LastConfigFile, Quiet, Receipt, Trust
from mlpack.cli.output.console import Console
from mlpack.cli.target_command import GivenOption, given_options
from mlpack.workspace import Workspace

if TYPE_CHECKING:
    from mlpack.config import Config
    from mlpack.pipeline.line import Line
    from mlpack.registries.destinations import Destination
    from mlpack.targets.base import Target


@dataclass(frozen=True, kw_only=True)
class DeployChoices:
    """The options of the command; `options` are those of the target, `more` the values of `--set`."""

    target: str | None
    service: str | None
    options: tuple[GivenOption, ...]
    more: tuple[str, ...]
    keep: int | None
    yes: bool
    dry_run: bool
    write: Path | None
    trust: bool
    no_verify: bool
    receipt: Path | None
    engine: str | None
    traffic: bool


def deploy(
    ctx: typer.Context,
    source: take.Source = None,
    target: take.TargetName = None,
    service: take.ServiceName = None,
    set_: take.Set = None,
    keep: take.Keep = None,
    no_traffic: take.NoTraffic = False,
    dry_run: take.DryRun = False,
    write: take.Write = None,
    yes: take.Yes = False,
    trust: Trust = False,
    no_verify: take.NoVerify = False,
    receipt: Receipt = None,
    engine: Engine = None,
    config: LastConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Deploy an image, or build, test and deploy a model file.

    It shows the plan and asks for confirmation, pushes the image if the target needs a registry (or mlpack.yaml names one),
    starts a new revision without traffic, verifies it, moves the traffic to it and verifies it again. If a step fails, the
    traffic goes back to the revision that served before.

    An image must have the receipt of a passed `mlpack test`. A model file is built and tested; if its image is unchanged, the
    stored receipt is reused. The options of the model (entry, include, sample, ...) come from mlpack.yaml; or give them to
    `mlpack build` first, and deploy the image.

    Cloud Run needs `pip install 'mlpack-cli[cloudrun]'` and runs images for linux/amd64. A new service there is private, unless
    --allow-unauthenticated is given.

    \b
    mlpack deploy model.pkl --target cloudrun --project acme --region europe-west1
    mlpack deploy --target compose --yes
    mlpack deploy --dry-run --write service.yaml
    """
    from mlpack.cli.output.ci_summary import failure_summary, write_summary
    from mlpack.errors import MlpackError

    console = Console(json=json, quiet=quiet)
    choices = DeployChoices(
        target=target, service=service, options=given_options(ctx), more=tuple(set_ or ()), keep=keep, yes=yes,
        dry_run=dry_run, write=write, trust=trust, no_verify=no_verify, receipt=receipt, engine=engine,
        traffic=not no_traffic,
    )  # fmt: skip
    try:
        line, start = _line(console, source, choices, config=config)
        return _run(console, line, start, dry_run=dry_run)
    except MlpackError as error:
        write_summary(failure_summary("mlpack deploy", error))
        raise


def _run(console: Console, line: Line, start: Any, *, dry_run: bool) -> int:
    from mlpack.artifacts.release import Planned
    from mlpack.artifacts.service import Deployment
    from mlpack.cli.output.ci_summary import deploy_summary, write_summary
    from mlpack.cli.output.deployment import show_deployment

    if dry_run:
        console.document({"plan": line.run(start, Planned).plan.to_json(), "deployed": False})
        return 0
    deployment = line.run(start, Deployment)
    write_summary(deploy_summary(deployment))
    console.document(deployment.to_json())
    show_deployment(console, deployment)
    return 0


def _line(console: Console, source: str | None, choices: DeployChoices, *, config: Path | None) -> tuple[Line, Any]:
    """The line and its start: a model, an image of the engine, or an image in a registry."""
    from mlpack.artifacts.model_reference import reference_of
    from mlpack.cli.output.reporter import ConsoleReporter
    from mlpack.cli.target_choice import make_target, target_class
    from mlpack.cli.wiring import make_line
    from mlpack.errors import UsageError
    from mlpack.pipeline.fetch import refuse_coordinator
    from mlpack.pipeline.render import service_name
    from mlpack.pipeline.service import with_expectation
    from mlpack.pipeline.tools import Options
    from mlpack.registries.destinations import deploy_destination

    if not (choices.yes or choices.dry_run or console.interactive):
        raise UsageError(
            "a deployment needs confirmation, and there is no terminal",
            hint="--yes confirms; --dry-run only shows the plan.",
        )
    workspace = Workspace(Path.cwd())
    model = reference_of(source) if source is not None else None
    if isinstance(model, Path) and not model.exists():  # then `source` is the name of an image
        model = None
    released = source is not None and "@sha256:" in source  # already in a registry, so no engine is needed

    def target(loaded: Config, name: str | None) -> Target:
        named = name if model is None else service_name(loaded, model)
        return make_target(
            loaded, choices.target, choices.service, choices.options, choices.more, workspace=workspace, name=named
        )

    def destination(loaded: Config, found: Target | None, name: str) -> Destination | None:
        if found is None:
            return None
        return deploy_destination(
            loaded.image.repository,
            target=found.name,
            needs_registry=found.needs_registry,
            own=found.own_registry,
            image=name,
            keep=choices.keep,
        )

    line = make_line(
        None if model is None else source,
        console=console,
        config=config,
        of_last_image=source is None,
        engine=choices.engine,
        local="ignore" if released else "refuse",
        options=Options(
            trust=choices.trust,
            verification="skip" if choices.no_verify else "reuse" if model else "require",
            receipt=choices.receipt,
            traffic=choices.traffic,
        ),
        reporter=ConsoleReporter(console, plan_file=choices.write, yes=choices.yes),
        target=target,
        destination=destination,
    )
    platforms = target_class(line.config, choices.target, workspace.last_deployed()).platforms
    line = with_expectation(replace(line, options=replace(line.options, platforms=platforms)))
    if model is not None:
        found = line.tools.target(None)  # report invalid settings and a missing registry before the build
        line.tools.destination(found, service_name(line.config, model))
        return line, model
    if source is not None and released:
        return line, line.released(source)
    return line, refuse_coordinator(line.image(source))
