"""The Typer app, and the one place where failures are told: exit code, message, hint."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Annotated

import typer

from mlpack.cli.commands import (
    build,
    clean,
    delete,
    deploy,
    doctor,
    image,
    init,
    inspect,
    push,
    render,
    rollback,
    status,
    test,
    traffic,
)  # fmt: skip
from mlpack.cli.commands import run as run_
from mlpack.cli.output.console import Console
from mlpack.cli.target_command import DeployCommand, TargetCommand
from mlpack.errors import InterruptedByUser, MlpackError, UsageError
from mlpack.version import __version__

app = typer.Typer(
    name="mlpack",
    help="Turns an exported model file into a verified, fast, small, safe container, and takes it to production.",
    rich_markup_mode=None,  # plain help: three times faster, and readable in a log
    pretty_exceptions_enable=False,
)
TARGET_COMMANDS: dict[Callable[..., int], type[TargetCommand]] = {
    deploy.deploy: DeployCommand,
    status.status: TargetCommand,
    traffic.traffic: TargetCommand,
    rollback.rollback: TargetCommand,
    delete.delete: TargetCommand,
}
for command, short_help in (
    (inspect.inspect, "Tell what a model file is; nothing is run."),
    (render.render, "Write the folder an image is built from."),
    (build.build, "Build and tag an image of a model."),
    (test.test, "Run the container and check it."),
    (run_.run, "Serve an image here."),
    (push.push, "Push a tested image to a registry."),
    (deploy.deploy, "Release a tested image as a service."),
    (status.status, "Show a service and its revisions."),
    (traffic.traffic, "Share the traffic between revisions."),
    (rollback.rollback, "Go back to an earlier revision."),
    (delete.delete, "Take a service away."),
    (image.image, "Show what takes the room in an image."),
    (init.init, "Write a commented mlpack.yaml."),
    (doctor.doctor, "Check this machine."),
    (clean.clean, "Remove what mlpack made."),
):
    app.command(short_help=short_help, cls=TARGET_COMMANDS.get(command))(command)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"mlpack {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Exit codes: 0 done, 1 our bug, 2 usage or config, 3 model, 4 resolve, 5 engine or build, 6 a check failed, "
    "7 registry, 8 deploy failed, 9 deploy left in a state to look at, 130 Ctrl-C."
)
def root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Turns an exported model file into a verified, fast, small, safe container, and takes it to production.

    \b
    mlpack inspect model.pkl     what it is, wants and needs, and whether it is safe; nothing is run
    mlpack build model.pkl       resolved, rendered, built, tagged
    mlpack test                  runs the container and checks it; exit 0 or 6
    mlpack run                   serves it here and prints a curl line
    mlpack push --to REF         to a registry, by digest
    mlpack deploy                to a service that is asked before it is believed
    """


def run(argv: list[str]) -> int:
    """Runs one command line and gives its exit code; every failure of it is told here and nowhere else."""
    console = Console(json="--json" in argv)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = app(args=argv or ["--help"], prog_name="mlpack", standalone_mode=False)
    except MlpackError as error:
        return console.failure(error)
    except typer.TyperException as error:
        return console.failure(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        return console.failure(_interrupted())
    except BrokenPipeError:
        # The reader of our output left (`| head`): not a failure of ours, and nobody to tell it to.
        sys.stdout = None
        return 0
    except Exception as error:  # noqa: BLE001 - the last line of defence: told as our bug, with where to send it
        return console.bug(error)
    if code == 130 and argv[0] != "run":  # typer turned Ctrl-C into this; of `run` it is the usual end
        return console.failure(_interrupted())
    return code if isinstance(code, int) else 0


def _interrupted() -> InterruptedByUser:
    return InterruptedByUser("interrupted", hint="Nothing was left behind; run it again at will.")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _usage(error: typer.TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mlpack"
    told = error.format_message() if hasattr(error, "format_message") else str(error)
    return UsageError(told.rstrip("."), hint=f"`{path} --help` shows what it takes.")
