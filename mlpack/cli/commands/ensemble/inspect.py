"""`mlpack ensemble inspect`: show the members of an ensemble, and whether they fit."""

from __future__ import annotations

from mlpack.cli.ensembles import DEFAULT_FILE, Choices, File, Offline, make_assembly
from mlpack.cli.options import AsJson, Engine, Quiet
from mlpack.cli.output.console import Console


def inspect(
    file: File = DEFAULT_FILE,
    offline: Offline = False,
    engine: Engine = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Show what each member is, what the ensemble takes and answers, and whether the members fit. No model is run.

    \b
    mlpack ensemble inspect
    mlpack ensemble inspect churn/ensemble.yaml --json
    """
    from mlpack.cli.output.ensembles import document, show

    console = Console(json=json, quiet=quiet)
    described = make_assembly(
        file, console, Choices(engine=engine, offline=offline, without_engine=True)
    ).inspect()  # fmt: skip
    show(console, described)
    console.brief("the members fit")
    console.document(document(described))
    return 0
