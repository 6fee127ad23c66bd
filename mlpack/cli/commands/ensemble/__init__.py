"""`mlpack ensemble`: several models behind one endpoint."""

from __future__ import annotations

import typer

from mlpack.cli.commands.ensemble import build, down, inspect, render, test, up

ensemble = typer.Typer(name="ensemble", rich_markup_mode=None, invoke_without_command=True)
for command, short_help in (
    (inspect.inspect, "Show the members of an ensemble and whether they fit."),
    (render.render, "Write a compose project of an ensemble."),
    (build.build, "Build the images of an ensemble."),
    (test.test, "Run the containers of an ensemble and check it."),
    (up.up, "Start an ensemble on this machine."),
    (down.down, "Stop an ensemble on this machine."),
):
    ensemble.command(short_help=short_help)(command)


@ensemble.callback()
def root(ctx: typer.Context) -> None:
    """Serve several models behind one endpoint: an ensemble.yaml names them and how their answers are combined.

    \b
    mlpack ensemble inspect      show the members and whether they fit
    mlpack ensemble up           build and start all containers on this machine
    mlpack ensemble test         check the answers
    """
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
