"""`mlpack test`: runs the container, checks it and writes a receipt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlpack.cli.options import (
    AsJson,
    ConfigFile,
    Engine,
    Entry,
    Framework,
    ImageOrModel,
    Include,
    Predictor,
    Python,
    Quiet,
    Receipt,
    Sample,
    Trust,
    Wheelhouse,
)  # fmt: skip
from mlpack.cli.output.console import Console


def test(
    image: ImageOrModel = None,
    request: Annotated[Path | None, typer.Option("--request", help="JSON body to send to /predict.")] = None,
    expected: Annotated[Path | None, typer.Option("--expected", help="JSON answer to compare with.")] = None,
    tolerance: Annotated[
        float | None, typer.Option("--tolerance", help="Largest relative difference of numbers.")
    ] = None,
    record: Annotated[
        bool, typer.Option("--record", help="If all checks pass, save the answers as the expected ones.")
    ] = False,
    contract: Annotated[
        str | None,
        typer.Option(
            "--contract",
            metavar="NAMES",
            help="Check serving contracts instead, for any image or URL: v2, tfs, kserve, vertex, sagemaker, mlflow, cloudrun, "
            "azure, torchserve.",
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
    engine: Engine = "docker",
    entry: Entry = None,
    framework: Framework = None,
    python: Python = None,
    wheelhouse: Wheelhouse = None,
    include: Include = None,
    predictor: Predictor = None,
    sample: Sample = None,
    trust: Trust = False,
    config: ConfigFile = None,
    quiet: Quiet = False,
    json: AsJson = False,
) -> int:
    """Run the container with stricter limits than Cloud Run sets, and check it. Exit with code 6 if a check fails.

    \b
    mlpack test
    mlpack test iris:latest --request request.json --expected expected.json
    mlpack test --json --junit report.xml
    mlpack test --record
    mlpack test --engine process model.pkl
    mlpack test --contract v2,sagemaker,cloudrun
    mlpack test http://127.0.0.1:8080 --contract v2 --request request.json
    """
    from mlpack.checks.smoke import examine, verify
    from mlpack.cli.local import make_local, only_with_process
    from mlpack.cli.recording import Recording
    from mlpack.cli.testing import conclude, expectation, limits_of, read_json, show_check
    from mlpack.cli.wiring import make_context, remembered_config
    from mlpack.errors import UsageError
    from mlpack.workspace import write_receipt

    console = Console(json=json, quiet=quiet)
    limits = limits_of(memory)
    words = {
        "entry": entry, "framework": framework, "python": python, "wheelhouse": wheelhouse, "include": include,
        "predictor": predictor, "sample": sample, "trust": trust,
    }  # fmt: skip
    overrides = {"test.request": request, "test.expected": expected, "test.tolerance": tolerance}
    only_with_process(engine, words)
    if contract is None and (model_name is not None or port is not None):
        raise UsageError(
            "--model-name and --port belong to --contract", hint="`mlpack test --contract v2 --port 8000 IMAGE`."
        )
    if contract is not None:
        from mlpack.cli.contracts import check_contracts

        if record or receipt is not None or expected is not None:
            raise UsageError("--contract gives no receipt and compares no --expected", hint="`mlpack test` alone does.")
        return check_contracts(
            console,
            image,
            contract,
            engine=engine,
            config=config,
            request=read_json(request),
            name=model_name,
            port=port,
            memory=memory,
            junit=junit,
        )
    if engine == "process":
        if receipt is not None or record:
            raise UsageError(
                "--engine process gives no receipt and records nothing", hint="Build the image, and test that."
            )
        local = make_local(image, console=console, config=config, words=words, overrides=overrides)
        console.text(f"Testing {local.bundle.name} in a local process, not in its image")
        report, log = examine(
            lambda: local.start(limits),
            local.bundle.card,
            expectation=expectation(local.context.config.test),
            on_check=lambda check: show_check(console, check),
        )
        return conclude(console, report, log, engine=engine, receipt=None, junit=junit)
    context = make_context(
        None,
        console=console,
        config=config or (remembered_config() if image is None else None),
        overrides=overrides,
        engine=engine,
    )
    found = context.image(image)
    if record and expected is not None:
        raise UsageError("--record and --expected contradict each other", hint="Record first, compare the next time.")
    recording = Recording(context.config, context.folder) if record else None
    # A recording replaces the old answers, so they need not exist; a request that is not there yet is made.
    test = context.config.test
    if recording:
        kept = {"expected": None} if recording.request.exists() else {"expected": None, "request": None}
        wanted = recording.listen(expectation(test.model_copy(update=kept)))
    else:
        wanted = expectation(test)
    console.text(f"Testing {found.tags[0] if found.tags else found.id}")
    verified, log = verify(
        found,
        runner=context.engine,
        expectation=wanted,
        limits=limits,
        on_check=lambda check: show_check(console, check),
    )
    place = write_receipt(verified, context.folder, file=receipt)
    code = conclude(console, verified.report, log, engine=engine, receipt=place, junit=junit)
    if recording is not None:
        recording.write(console)
    return code
