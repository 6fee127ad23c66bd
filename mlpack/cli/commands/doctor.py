"""`mlpack doctor`: check this machine, and print a remedy for each problem."""

from __future__ import annotations

from mlpack.cli.options import AsJson, EngineOrProcess
from mlpack.cli.output.console import Console


def doctor(engine: EngineOrProcess = None, json: AsJson = False) -> int:
    """Check whether this machine has what mlpack needs. Print a remedy for each problem.

    The checks: Python, another package named mlpack, disk space, container engine and BuildKit, package index, clock.

    \b
    mlpack doctor
    mlpack doctor --json
    """
    from mlpack.cli.wiring import make_line
    from mlpack.errors import EngineError
    from mlpack.maintenance.diagnosis import diagnose
    from mlpack.workspace import cache_dir

    console = Console(json=json)
    line = make_line(console=console, engine=engine, local="run")
    findings = list(
        diagnose(
            engine=lambda: line.tools.engine,
            local=line.tools.local,
            settings=line.tools.packages,
            cache=cache_dir(),
        )
    )
    marks = {"ok": "ok", "warn": "WARN", "fail": "FAIL"}
    console.table([(marks[item.state], item.name, item.seen) for item in findings], styles=("bold", "", ""))
    for item in findings:
        if item.state != "ok" and item.remedy:
            console.text()
            console.text(f"{item.name}: {item.remedy}")
    document = {
        "ok": all(item.state != "fail" for item in findings),
        "checks": [vars(item) for item in findings],
    }
    failed = [item.name for item in findings if item.state == "fail"]
    if not failed:
        console.document(document)
        return 0
    error = EngineError(f"this machine has problems: {', '.join(failed)}", hint="The remedies are above.")
    error.code = "doctor"
    error.document = document
    raise error
