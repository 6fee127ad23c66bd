"""`mlpack test`: run the container, check it and write a receipt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlpack.checks.contracts import CONTRACTS
from mlpack.cli.options import (
    AsJson,
    EngineOrProcess,
    Entry,
    Framework,
    Include,
    LastConfigFile,
    Predictor,
    Python,
    Quiet,
    Receipt,
    Require,
    Sample,
    Sdist,
    Tested,
    Trust,
    Wheelhouse,
    refuse_model_options,
)  # fmt: skip
from mlpack.cli.output.console import Console
from mlpack.errors import UsageError

if TYPE_CHECKING:
    from mlpack.pipeline.line import Line


def test(
    image: Tested = None,
    request: Annotated[
        Path | None,
        typer.Option("--request", help="JSON body to send to /predict. Default: `test.request` in mlpack.yaml."),
    ] = None,
    expected: Annotated[
        Path | None,
        typer.Option("--expected", help="JSON answer to compare with. Default: `test.expected` in mlpack.yaml."),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            "--tolerance",
            help="Largest relative difference of numbers. Default: `test.tolerance` in mlpack.yaml, else 1e-6.",
        ),
    ] = None,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="If all checks pass, save the answer as the expected one, and the request if its file does not exist. Files: "
            "`test.expected` and `test.request` in mlpack.yaml, else expected.json and request.json next to mlpack.yaml, or "
            "in this folder.",
        ),
    ] = False,
    contract: Annotated[
        str | None,
        typer.Option(
            "--contract",
            metavar="NAMES",
            help=f"Check serving contracts instead, for any image or URL: {', '.join(CONTRACTS)}.",
        ),
    ] = None,
    model_name: Annotated[
        str | None,
        typer.Option(
            "--model-name",
            help="With --contract: name of the model in routes. Default: the name that the service reports.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", help="With --contract: port of a server that ignores the variable PORT."),
    ] = None,
    memory: Annotated[str, typer.Option("--memory", help="Memory limit of the container.")] = "2GiB",
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the checks as JUnit XML, for CI.")] = None,
    receipt: Receipt = None,
    engine: EngineOrProcess = None,
    entry: Entry = None,
    framework: Framework = None,
    python: Python = None,
    wheelhouse: Wheelhouse = None,
    include: Include = None,
    require: Require = None,
    sdist: Sdist = None,
    predictor: Predictor = None,
    sample: Sample = None,
    trust: Trust = False,
    config: LastConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Run the container read-only, without privileges and with limited memory and CPU, and check it.

    Exit with code 6 if a check fails.

    \b
    mlpack test
    mlpack test iris:latest --request request.json --expected expected.json
    mlpack test --json --junit report.xml
    mlpack test --record
    mlpack test --engine process model.pkl
    mlpack test --contract v2,sagemaker,cloudrun
    mlpack test http://127.0.0.1:8080 --contract v2 --request request.json
    """
    from mlpack.artifacts.release import Verified
    from mlpack.artifacts.report import Report
    from mlpack.cli.engine_choice import choose_engine
    from mlpack.cli.output.checks import conclude
    from mlpack.cli.output.reporter import ConsoleReporter
    from mlpack.cli.wiring import make_line
    from mlpack.pipeline.fetch import refuse_coordinator
    from mlpack.pipeline.service import with_expectation, with_recording
    from mlpack.pipeline.tools import Options
    from mlpack.pipeline.verify import limits_of

    console = Console(json=json, quiet=quiet)
    overrides = {
        "entry": entry, "framework": framework, "python": python, "build.wheelhouse": wheelhouse, "predictor": predictor,
        "sample": sample,
    }  # fmt: skip
    name, local = choose_engine(image, engine, console=console, config=config)
    if not local:
        refuse_model_options({**overrides, "include": include, "require": require, "sdist": sdist, "trust": trust})
    _refuse_mixed(
        local=local,
        contract=contract,
        model_name=model_name,
        port=port,
        record=record,
        receipt=receipt,
        expected=expected,
    )
    line = make_line(
        image if local else None,
        console=console,
        config=config,
        overrides={**overrides, "test.request": request, "test.expected": expected, "test.tolerance": tolerance},
        of_last_image=image is None and not local,
        engine=name,
        local="run",
        command="test",
        options=Options(
            include=tuple(include or ()),
            require=tuple(require or ()),
            sdist=tuple(sdist or ()),
            trust=trust,
            limits=limits_of(memory),
            receipt=receipt,
        ),
        reporter=ConsoleReporter(console, junit=junit),
    )
    if contract is not None:
        return _contracts(console, line, image, contract, request=request, name=model_name, port=port, junit=junit)
    line, recording = with_recording(line) if record else (with_expectation(line), None)
    if local:
        return conclude(console, line.run(line.model, Report), engine=name, receipt=None)
    verified = line.run(refuse_coordinator(line.image(image)), Verified)
    conclude(console, verified.report, engine=name, receipt=line.tools.workspace.receipt_path(verified.image.id))
    for text in recording.write() if recording else ():
        console.text(text)
    return 0


def _refuse_mixed(
    *,
    local: bool,
    contract: str | None,
    model_name: str | None,
    port: int | None,
    record: bool,
    receipt: Path | None,
    expected: Path | None,
) -> None:
    """Raise UsageError for options that contradict each other."""
    if contract is None and (model_name is not None or port is not None):
        raise UsageError(
            "--model-name and --port need --contract", hint="Example: `mlpack test --contract v2 --port 8000 IMAGE`."
        )
    if contract is not None and (record or receipt is not None or expected is not None):
        raise UsageError(
            "--contract cannot be combined with --record, --receipt or --expected", hint="Use them without --contract."
        )
    if contract is not None and local:
        raise UsageError(
            "--contract checks an image or a URL, not a local process",
            hint="Start it with `mlpack run --engine process MODEL`, and give its URL here.",
        )
    if local and (receipt is not None or record):
        raise UsageError(
            "--receipt and --record need an image, not --engine process", hint="Build the image, and test it."
        )
    if record and expected is not None:
        raise UsageError("--record and --expected contradict each other", hint="Record first, compare in a later test.")


def _contracts(
    console: Console,
    line: Line,
    image: str | None,
    names: str,
    *,
    request: Path | None,
    name: str | None,
    port: int | None,
    junit: Path | None,
) -> int:
    from mlpack.checks.conformance import ModelFacts
    from mlpack.checks.contracts import contracts_named
    from mlpack.cli.output.checks import conclude_contracts, write_junit
    from mlpack.pipeline.service import check_contracts
    from mlpack.pipeline.verify import read_json

    contracts = contracts_named(names)
    facts = ModelFacts(request=read_json(request), name=name)
    report, log = check_contracts(line, image, contracts, facts, port=port)
    if junit is not None:
        write_junit(report, junit)
    return conclude_contracts(console, report, log, [one.name for one in contracts])
