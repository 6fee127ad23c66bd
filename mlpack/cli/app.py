"""The Typer app, and the one place that reports failures: exit code, message, hint."""

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
from mlpack.cli.commands.ensemble import ensemble
from mlpack.cli.output.console import Console
from mlpack.cli.target_command import DeployCommand, TargetCommand
from mlpack.errors import InterruptedByUser, MlpackError, UsageError
from mlpack.version import __version__

app = typer.Typer(
    name="mlpack",
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
    (inspect.inspect, "Show what a model file is, without running it."),
    (render.render, "Write the folder that an image is built from."),
    (build.build, "Build and tag an image of a model."),
    (test.test, "Run an image and check it."),
    (run_.run, "Serve an image on this machine."),
    (push.push, "Push a tested image to a registry."),
    (deploy.deploy, "Deploy an image, or build, test and deploy a model file."),
    (status.status, "Show a service and its revisions."),
    (traffic.traffic, "Split the traffic between revisions."),
    (rollback.rollback, "Move the traffic back to an earlier revision."),
    (delete.delete, "Delete a service."),
    (image.image, "Show the layers and packages of an image by size."),
    (init.init, "Write an mlpack.yaml or a CI workflow."),
    (doctor.doctor, "Check whether this machine has what mlpack needs."),
    (clean.clean, "Remove images, caches and the folder .mlpack."),
):
    app.command(short_help=short_help, cls=TARGET_COMMANDS.get(command))(command)
app.add_typer(ensemble, short_help="Serve several models behind one endpoint.")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"mlpack {__version__}")
        raise typer.Exit


@app.callback(
    epilog="Exit codes: 0 done; 1 bug in mlpack; 2 usage or configuration; 3 model; 4 package versions; 5 engine or build; "
    "6 a check failed, there is no receipt, or the image is too large; 7 registry; 8 a deployment command failed, and the "
    "state is unchanged or restored; 9 a deployment failed and could not be rolled back completely; 130 interrupted."
)
def root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Builds a tested container image from an exported model file and deploys it as an HTTP service.

    \b
    mlpack inspect model.pkl     show what the file is, what it needs, whether it is safe to load
    mlpack build model.pkl       choose package versions, build the image, tag it
    mlpack test                  run the container and check it; exit code 0 or 6
    mlpack run                   serve the image here and print a curl command for it
    mlpack push --to REF         push the image; print its reference with the digest
    mlpack deploy                deploy it as a service; roll back if an answer is wrong
    """


def run(argv: list[str]) -> int:
    """Run one command line and return its exit code; the only place that reports failures."""
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
        # The process that reads our output has ended (`| head`): this is not a failure.
        sys.stdout = None
        return 0
    except Exception as error:  # noqa: BLE001 - any other exception is a bug in mlpack, reported as one
        return console.bug(error)
    if code == 130 and argv[0] != "run":  # typer's code for Ctrl-C, which is the usual end of `run`
        return console.failure(_interrupted())
    return code if isinstance(code, int) else 0


def _interrupted() -> InterruptedByUser:
    return InterruptedByUser("interrupted", hint="Nothing was left behind; you can run the command again.")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _usage(error: typer.TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mlpack"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return UsageError(message.rstrip("."), hint=f"`{path} --help` shows the arguments and options.")
