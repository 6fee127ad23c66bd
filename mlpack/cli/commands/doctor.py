"""`mlpack doctor`: what mlpack needs of this machine, and a remedy for each thing that is not there."""

from __future__ import annotations

from mlpack.cli.options import AsJson
from mlpack.cli.output.console import Console


def doctor(json: AsJson = False) -> int:
    """Check engine, disk, network and Python, with a remedy a line.

    \b
    mlpack doctor
    mlpack doctor --json
    """
    from mlpack.cli.wiring import cache_dir, make_line
    from mlpack.errors import EngineError

    console = Console(json=json)
    from mlpack.maintenance.diagnosis import diagnose

    line = make_line(console=console)
    findings = list(diagnose(engine=lambda: line.tools.engine, settings=line.tools.packages, cache=cache_dir()))
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
    error = EngineError(f"{', '.join(failed)}: not as mlpack needs it", hint="The remedies are above.")
    error.code = "doctor"
    error.document = document
    raise error
