"""`mlpack ensemble test`: run an ensemble's containers together and check its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlpack.cli.ensembles import DEFAULT_FILE, Choices, File, Offline, make_assembly
from mlpack.cli.options import AsJson, Engine, Quiet, Receipt, Trust
from mlpack.cli.output.console import Console


def test(
    file: File = DEFAULT_FILE,
    offline: Offline = False,
    trust: Trust = False,
    memory: Annotated[str, typer.Option("--memory", help="Memory limit of each container.")] = "2GiB",
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the checks as JUnit XML, for CI.")] = None,
    receipt: Receipt = None,
    engine: Engine = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Build what has changed, run all containers in one network, and check the ensemble as any service.

    Its answers are compared with those of its members, combined by mlpack itself; and once more with an optional member
    stopped. Exit with code 6 if a check fails.

    \b
    mlpack ensemble test
    mlpack ensemble test churn/ensemble.yaml --json --junit report.xml
    """
    from mlpack.cli.output.checks import conclude
    from mlpack.cli.output.reporter import ConsoleReporter
    from mlpack.ensembles.verify import verify
    from mlpack.pipeline.tools import Options
    from mlpack.pipeline.verify import limits_of

    console = Console(json=json, quiet=quiet)
    assembly = make_assembly(
        file, console, Choices(engine=engine, offline=offline),
        options=Options(trust=trust, limits=limits_of(memory), receipt=receipt),
        reporter=ConsoleReporter(console, junit=junit),
    )  # fmt: skip
    verified = verify(assembly, assembly.build())
    tools = assembly.coordinator.tools
    receipt_path = tools.workspace.receipt_path(verified.image.id)
    return conclude(console, verified.report, engine=tools.engine_name, receipt=receipt_path)
