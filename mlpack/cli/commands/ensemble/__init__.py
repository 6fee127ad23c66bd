"""`mlpack ensemble`: several models behind one endpoint."""

from __future__ import annotations

from collections.abc import Callable

import typer

from mlpack.cli.commands.ensemble import build, delete, deploy, down, inspect, render, rollback, status, test, up
from mlpack.cli.target_command import DeployCommand, TargetCommand

ensemble = typer.Typer(name="ensemble", rich_markup_mode=None, invoke_without_command=True)
TARGET_COMMANDS: dict[Callable[..., int], type[TargetCommand]] = {
    deploy.deploy: DeployCommand,
    status.status: TargetCommand,
    rollback.rollback: TargetCommand,
    delete.delete: TargetCommand,
}
for command, short_help in (
    (inspect.inspect, "Show the members of an ensemble and whether they fit."),
    (render.render, "Write a compose project of an ensemble."),
    (build.build, "Build the images of an ensemble."),
    (test.test, "Run the containers of an ensemble and check it."),
    (up.up, "Start an ensemble on this machine."),
    (down.down, "Stop an ensemble on this machine."),
    (deploy.deploy, "Release an ensemble as services."),
    (status.status, "Show all services of an ensemble."),
    (rollback.rollback, "Move an ensemble back to an earlier release."),
    (delete.delete, "Delete all services of an ensemble."),
):
    ensemble.command(short_help=short_help, cls=TARGET_COMMANDS.get(command))(command)


@ensemble.callback()
def root(ctx: typer.Context) -> None:
    """Serve several models behind one endpoint: an ensemble.yaml names them and how their answers are combined.

    \b
    mlpack ensemble inspect      show the members and whether they fit
    mlpack ensemble up           build and start all containers on this machine
    mlpack ensemble test         check the answers
    mlpack ensemble deploy       release it as services
    """
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
