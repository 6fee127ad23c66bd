"""`mlpack ensemble status`: show all services of an ensemble."""

from __future__ import annotations

import typer

from mlpack.cli.ensembles import DEFAULT_FILE, File
from mlpack.cli.options import AsJson, Quiet
from mlpack.cli.output.console import Console
from mlpack.cli.target_command import given_options
from mlpack.cli.target_options import EnsembleSet, EnsembleTargetName


def status(
    ctx: typer.Context,
    file: File = DEFAULT_FILE,
    target: EnsembleTargetName = None,
    set_: EnsembleSet = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Show the coordinator and the members: URLs, revisions, their share of the traffic, and why one is not ready.

    Each revision of the coordinator names the revisions of the members that it was released with. A member that serves another
    one is shown.

    \b
    mlpack ensemble status
    mlpack ensemble status churn/ensemble.yaml --target cloudrun --project acme --region europe-west1
    """
    from mlpack.cli.ensemble_targets import choose_target
    from mlpack.cli.output.ensemble_services import show_containers, show_state
    from mlpack.ensembles.services import status as state_of

    console = Console(json=json, quiet=quiet)
    chosen = choose_target(file, target, given_options(ctx), set_)
    if chosen.services is None:
        assert chosen.runner is not None  # noqa: S101 - one of the two is there
        show_containers(console, chosen.ensemble.name, chosen.name, chosen.runner)
        return 0
    state = state_of(chosen.services)
    console.document(state.to_json())
    show_state(console, state)
    console.brief(state.coordinator.url)
    return 0
