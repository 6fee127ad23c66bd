"""`mlpack ensemble delete`: delete all services of an ensemble."""

from __future__ import annotations

import typer

from mlpack.cli.ensembles import DEFAULT_FILE, File
from mlpack.cli.options import AsJson, Quiet
from mlpack.cli.output.console import Console
from mlpack.cli.target_command import given_options
from mlpack.cli.target_options import EnsembleSet, EnsembleTargetName, Yes


def delete(
    ctx: typer.Context,
    file: File = DEFAULT_FILE,
    target: EnsembleTargetName = None,
    set_: EnsembleSet = None,
    yes: Yes = False,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Delete the coordinator, then the members with all their revisions, after a confirmation. Images are not deleted.

    \b
    mlpack ensemble delete
    mlpack ensemble delete churn/ensemble.yaml --yes
    """
    from mlpack.cli.ensemble_targets import choose_target
    from mlpack.ensembles.services import delete as run_delete
    from mlpack.ensembles.services import existing
    from mlpack.errors import UsageError

    console = Console(json=json, quiet=quiet)
    if not yes and not console.interactive:
        raise UsageError("deletion needs confirmation, and there is no terminal", hint="--yes confirms.")
    chosen = choose_target(file, target, given_options(ctx), set_)
    name = chosen.ensemble.name
    if chosen.services is not None:
        names = tuple(service for service, _ in existing(chosen.services))
    else:
        assert chosen.runner is not None  # noqa: S101 - one of the two is there
        names = tuple(chosen.runner.services())
    console.text(f"{name} on {chosen.name}: {', '.join(names) or 'no services'}")
    if not yes:
        console.confirm("Delete all of it?")
    if chosen.services is not None:
        names = run_delete(chosen.services, lambda step: console.note(f"- {step}"))
    elif chosen.runner is not None:
        chosen.runner.down(lambda step: console.note(f"- {step}"))
    console.document({"deleted": name, "target": chosen.name, "services": list(names)})
    console.text(f"Deleted {name}")
    return 0
