"""`mlpack deploy`: a tested image becomes a service that is asked before it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack.cli import target_options as take
from mlpack.cli.options import AsJson, ConfigFile, Quiet, Receipt, Trust
from mlpack.cli.output.console import Console
from mlpack.workspace import Workspace

if TYPE_CHECKING:
    from mlpack.config import Config
    from mlpack.pipeline.line import Line
    from mlpack.registries.destinations import Destination
    from mlpack.targets.base import Target


@dataclass(frozen=True, kw_only=True)
class DeployChoices:
    """The options of a deploy; `settings` are the target's, `more` its `--set KEY=VALUE`."""

    target: str | None
    settings: Mapping[str, Any]
    more: tuple[str, ...]
    keep: int | None
    yes: bool
    dry_run: bool
    write: Path | None
    trust: bool
    no_verify: bool
    receipt: Path | None
    traffic: bool


def deploy(
    source: take.Source = None,
    target: take.TargetName = None,
    project: take.Project = None,
    region: take.Region = None,
    service: take.ServiceName = None,
    memory: take.Memory = None,
    cpu: take.Cpu = None,
    min_instances: take.MinInstances = None,
    max_instances: take.MaxInstances = None,
    concurrency: take.Concurrency = None,
    timeout: take.Timeout = None,
    service_account: take.ServiceAccount = None,
    env: take.Env = None,
    secret: take.Secret = None,
    allow_unauthenticated: take.AllowUnauthenticated = None,
    set_: take.Set = None,
    api_endpoint: take.ApiEndpoint = None,
    keep: take.Keep = None,
    no_traffic: take.NoTraffic = False,
    dry_run: take.DryRun = False,
    write: take.Write = None,
    yes: take.Yes = False,
    trust: Trust = False,
    no_verify: take.NoVerify = False,
    receipt: Receipt = None,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Release a tested image as a service: planned, staged, asked, given the traffic, asked again; put back on failure.

    \b
    mlpack deploy model.pkl --target cloudrun --project acme --region europe-west1
    mlpack deploy --target compose --yes
    mlpack deploy --dry-run --write service.yaml
    """
    from mlpack.cli.output.ci_summary import failure_summary, write_summary
    from mlpack.errors import MlpackError

    console = Console(json=json, quiet=quiet)
    words = {
        "project": project, "region": region, "service": service, "memory": memory, "cpu": cpu, "timeout": timeout,
        "min_instances": min_instances, "max_instances": max_instances, "concurrency": concurrency, "env": env,
        "secrets": secret, "service_account": service_account, "allow_unauthenticated": allow_unauthenticated,
        "api_endpoint": api_endpoint,
    }  # fmt: skip
    choices = DeployChoices(
        target=target, settings=words, more=tuple(set_ or ()), keep=keep, yes=yes, dry_run=dry_run, write=write, trust=trust,
        no_verify=no_verify, receipt=receipt, traffic=not no_traffic,
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
    """The line and where it starts: a model's path, an image of the engine, or one that is in a registry already."""
    from mlpack.cli.output.reporter import ConsoleReporter
    from mlpack.cli.target_choice import make_target
    from mlpack.cli.wiring import make_line
    from mlpack.errors import UsageError
    from mlpack.pipeline.render import service_name
    from mlpack.pipeline.service import expecting
    from mlpack.pipeline.tools import Options
    from mlpack.plugins import load
    from mlpack.registries.destinations import deploy_destination

    if choices.target is not None:  # a misspelt one is reported first, whatever else is wrong
        load("targets", choices.target)
    if not (choices.yes or choices.dry_run or console.interactive):
        raise UsageError(
            "a deploy needs confirmation, and no terminal is there to ask",
            hint="--yes confirms; --dry-run only shows the plan.",
        )
    path = Path(source) if source is not None and Path(source).exists() else None

    def target(loaded: Config, name: str | None) -> Target:
        named = name if path is None else service_name(loaded, path)
        found: Target = make_target(
            loaded, choices.target, choices.settings, choices.more, workspace=Workspace(Path.cwd()), name=named
        )
        return found

    def destination(loaded: Config, found: Target | None, name: str) -> Destination | None:
        home = None if found is None else found.home
        return deploy_destination(home, loaded.image.repository, image=name, keep=choices.keep)

    line = make_line(
        path,
        console=console,
        config=config,
        remembered=source is None,
        options=Options(
            trust=choices.trust,
            verification="skip" if choices.no_verify else "reuse" if path else "require",
            receipt=choices.receipt,
            traffic=choices.traffic,
        ),
        reporter=ConsoleReporter(console, plan_file=choices.write, yes=choices.yes),
        target=target,
        destination=destination,
    )
    line = expecting(line)
    if path is not None:
        found = line.tools.target(None)
        options = replace(line.options, platform=found.platform if found else None)
        return replace(line, options=options), path  # what does not fit the target is reported before anything is built
    if source is not None and "@sha256:" in source:
        return line, line.released(source)
    return line, line.image(source)
