"""`mlpack test`: runs the container and checks every promise it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlpack.cli.console import Console
from mlpack.cli.options import AsJson, ConfigFile, ImageName, Quiet, Receipt


def test(
    image: ImageName = None,
    request: Annotated[Path | None, typer.Option("--request", help="JSON body to send to /predict.")] = None,
    expected: Annotated[Path | None, typer.Option("--expected", help="JSON answer that must come back.")] = None,
    tolerance: Annotated[float | None, typer.Option("--tolerance", help="Largest relative difference.")] = None,
    memory: Annotated[str, typer.Option("--memory", help="The container's memory limit.")] = "2GiB",
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the checks as JUnit XML, for CI.")] = None,
    receipt: Receipt = None,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Run the container as Cloud Run would, and harder, and check it: exit 0, or 6 when a check fails.

    \b
    mlpack test
    mlpack test iris:latest --request request.json --expected expected.json
    mlpack test --json --junit report.xml
    """
    from mlpack.cli.context import make_context, remembered_config
    from mlpack.cli.testing import expectation, limits_of, show, show_check, write_junit
    from mlpack.errors import CheckFailedError
    from mlpack.pipeline.receipts import write_receipt
    from mlpack.pipeline.smoke import verify

    console = Console(json=json, quiet=quiet)
    overrides = {"test.request": request, "test.expected": expected, "test.tolerance": tolerance}
    context = make_context(
        None, console=console, config=config or (remembered_config() if image is None else None), overrides=overrides
    )
    found = context.image(image)
    wanted = expectation(context.config.test)
    console.text(f"Testing {found.tags[0] if found.tags else found.id}")
    verified, log = verify(
        found,
        runner=context.engine,
        expectation=wanted,
        limits=limits_of(memory),
        on_check=lambda check: show_check(console, check),
    )
    place = write_receipt(verified, context.folder, file=receipt)
    if junit is not None:
        write_junit(verified, junit)
    document = verified.report.to_json() | {"receipt": str(place)}
    if verified.report.ok:
        console.document(document)
        show(console, verified.report, place)
        return 0
    failed = [check for check in verified.report.checks if not check.ok]
    names = ", ".join(check.name for check in failed)
    error = CheckFailedError(
        f"{len(failed)} of {len(verified.report.checks)} checks failed: {names}",
        hint=next((check.hint for check in failed if check.hint), ""),
        detail="the container's log:\n" + log[-6000:],
    )
    error.document = document
    raise error
