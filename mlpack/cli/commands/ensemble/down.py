"""`mlpack ensemble down`: stop an ensemble on this machine."""

from __future__ import annotations

from mlpack.cli.ensembles import DEFAULT_FILE, Choices, File, make_assembly, runner_of
from mlpack.cli.options import AsJson, Quiet
from mlpack.cli.output.console import Console


def down(file: File = DEFAULT_FILE, quiet: Quiet = False, json: AsJson = False) -> int:
    """Stop an ensemble that `mlpack ensemble up` started, and remove its containers, networks and compose.yaml.

    \b
    mlpack ensemble down
    """
    console = Console(json=json, quiet=quiet)
    assembly = make_assembly(file, console, Choices(without_engine=True, models=False))
    runner_of(assembly).down(lambda step: console.note(f"- {step}"))
    console.document({"ensemble": assembly.ensemble.name, "removed": True})
    console.text(f"{assembly.ensemble.name} was removed.")
    return 0
