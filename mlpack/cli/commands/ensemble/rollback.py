"""`mlpack ensemble rollback`: move an ensemble back to an earlier release."""

from __future__ import annotations

from typing import Annotated

import typer

from mlpack.cli.ensembles import DEFAULT_FILE, File
from mlpack.cli.options import AsJson, Quiet
from mlpack.cli.output.console import Console
from mlpack.cli.target_command import given_options
from mlpack.cli.target_options import EnsembleSet, EnsembleTargetName


def rollback(
    ctx: typer.Context,
    file: File = DEFAULT_FILE,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="REVISION",
            help="Revision of the coordinator to go back to. Default: the most recent one before the current one that is ready "
            "and has had traffic.",
        ),
    ] = None,
    target: EnsembleTargetName = None,
    set_: EnsembleSet = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Move the traffic of the coordinator to an earlier revision, and that of each member to the one released with it.

    The coordinator moves first, then the members that differ. If one of them cannot be moved, all are moved back.

    \b
    mlpack ensemble rollback
    mlpack ensemble rollback churn/ensemble.yaml --to churn-00002-abc
    """
    from mlpack.cli.ensemble_targets import choose_target
    from mlpack.cli.output.ensemble_services import show_state
    from mlpack.ensembles.services import rollback as run_rollback
    from mlpack.errors import UsageError

    console = Console(json=json, quiet=quiet)
    chosen = choose_target(file, target, given_options(ctx), set_)
    if chosen.services is None:
        raise UsageError(
            f"the target {chosen.name} keeps no earlier release of an ensemble",
            hint="Restore the earlier model files or images in ensemble.yaml, then run `mlpack ensemble deploy` again.",
        )
    found = run_rollback(chosen.services, to, lambda step: console.note(f"- {step}"))
    document = {"revision": found.revision, "previous": found.previous, "moved": dict(found.moved)}
    console.document(found.state.to_json() | document)
    show_state(console, found.state)
    console.brief(found.revision)
    return 0
