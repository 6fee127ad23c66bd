"""`mlpack ensemble deploy`: release the members of an ensemble and its coordinator as services."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import typer

from mlpack.cli import target_options as take
from mlpack.cli.ensembles import DEFAULT_FILE, Choices, File, Offline, local_release, make_assembly
from mlpack.cli.options import AsJson, Engine, Quiet, Refresh, Trust
from mlpack.cli.output.console import Console
from mlpack.cli.target_command import given_options

if TYPE_CHECKING:
    from mlpack.ensembles.assembly import Assembly
    from mlpack.ensembles.services import Targets
    from mlpack.registries.destinations import Destination
    from mlpack.targets.base import EnsembleRunner, Target


def deploy(
    ctx: typer.Context,
    file: File = DEFAULT_FILE,
    target: take.EnsembleTargetName = None,
    set_: take.EnsembleSet = None,
    keep: take.Keep = None,
    dry_run: take.DryRun = False,
    write: take.Write = None,
    yes: take.Yes = False,
    offline: Offline = False,
    trust: Trust = False,
    refresh: Refresh = False,
    no_verify: take.NoVerify = False,
    engine: Engine = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Build and test an ensemble, then release each member and the coordinator as a service.

    It shows one plan for all services and asks for confirmation, pushes the images, and releases the members one after the
    other, then the coordinator. Each is verified before and after it gets its traffic. If a step fails, all services that were
    changed are restored. A member that is unchanged is not released again; one with a URL stays as it is.

    The settings of the target come from `deploy:` in ensemble.yaml, those of one member from `deploy:` of the member. On Cloud
    Run the members are private services, and --service-account names the account by which the coordinator may call them.

    With --target compose it tests the ensemble and starts it on this machine, as `mlpack ensemble up`.

    \b
    mlpack ensemble deploy --target cloudrun --project acme --region europe-west1 --service-account ACCOUNT
    mlpack ensemble deploy churn/ensemble.yaml --dry-run
    mlpack ensemble deploy --target compose --yes
    """
    from mlpack.cli.ensemble_targets import choose_target
    from mlpack.cli.output.ci_summary import failure_summary, write_summary
    from mlpack.cli.output.reporter import ConsoleReporter
    from mlpack.errors import MlpackError, UsageError
    from mlpack.pipeline.tools import Options

    console = Console(json=json, quiet=quiet)
    if not (yes or dry_run or console.interactive):
        raise UsageError(
            "a deployment needs confirmation, and there is no terminal",
            hint="--yes confirms; --dry-run only shows the plan.",
        )
    try:
        chosen = choose_target(file, target, given_options(ctx), set_)
        assembly = make_assembly(
            file, console, Choices(engine=engine, offline=offline),
            options=Options(
                trust=trust, refresh=refresh, verification="skip" if no_verify else "reuse", platforms=chosen.platforms
            ),
            reporter=ConsoleReporter(console, plan_file=write, yes=yes),
        )  # fmt: skip
        if chosen.runner is not None:
            return _here(console, assembly, chosen.runner, dry_run=dry_run)
        assert chosen.services is not None  # noqa: S101 - one of the two is there
        return _services(console, assembly, chosen.services, keep=keep, dry_run=dry_run)
    except MlpackError as error:
        write_summary(failure_summary("mlpack ensemble deploy", error))
        raise


def _services(console: Console, assembly: Assembly, targets: Targets, *, keep: int | None, dry_run: bool) -> int:
    from mlpack.cli.output.ci_summary import deploy_summary, write_summary
    from mlpack.cli.output.ensemble_services import show_ensemble_deployment
    from mlpack.ensembles.deploy import deploy as run_deploy
    from mlpack.ensembles.deploy import plan

    destination = partial(_destination, assembly, keep)
    for service, target in ((targets.name, targets.coordinator), *targets.members.items()):
        destination(target, service)  # report a missing or invalid registry before the build
    planned = plan(assembly, targets, destination)
    if dry_run:
        console.document({"plan": planned.to_json(), "deployed": False})
        return 0
    deployment = run_deploy(planned, assembly, targets)
    write_summary(deploy_summary(deployment.coordinator))
    console.document(deployment.to_json())
    show_ensemble_deployment(console, deployment)
    return 0


def _here(console: Console, assembly: Assembly, runner: EnsembleRunner, *, dry_run: bool) -> int:
    from mlpack.cli.output.running import curl_line
    from mlpack.ensembles.deploy import deploy_here

    found = deploy_here(assembly, runner, partial(local_release, assembly), dry_run=dry_run)
    if found.live is None:
        console.document({"plan": found.plan.to_json(), "deployed": False})
        return 0
    url = found.live.endpoint.url
    line = curl_line(found.built.coordinator.card, url, assembly.coordinator.tools.workspace.request_file)
    document = {"ensemble": assembly.ensemble.name, "target": found.plan.target, "url": url, "image": found.live.image}
    console.document(document | {"curl": line, "plan": found.plan.to_json()})
    console.table([("url", url), ("request", line), ("delete", "mlpack ensemble delete")], styles=("bold", ""))
    console.brief(url)
    return 0


def _destination(assembly: Assembly, keep: int | None, target: Target, service: str) -> Destination | None:
    from mlpack.registries.destinations import deploy_destination

    repository = assembly.ensemble.repository
    return deploy_destination(
        f"{repository}/{service}" if repository else None, target=target.name, needs_registry=target.needs_registry,
        own=target.own_registry, image=service, keep=keep,
    )  # fmt: skip
