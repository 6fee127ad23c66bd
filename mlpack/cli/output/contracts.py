"""The outcome of `mlpack test --contract`, as people and programs see it."""

from __future__ import annotations

from mlpack.artifacts.report import Report
from mlpack.cli.output.console import Console
from mlpack.errors import CheckFailedError


def conclude_contracts(console: Console, report: Report, log: str, names: list[str]) -> int:
    """Print the outcome: 0 when every check passed, else raise CheckFailedError."""
    document = {"ok": report.ok, "contracts": names, "checks": [check.to_json() for check in report.checks]}
    failed = [check for check in report.checks if not check.ok]
    if not failed:
        console.document(document)
        rows = [("contracts", ", ".join(names)), ("checks", f"{len(report.checks)} passed")]
        console.table(rows, styles=("bold", ""))
        return 0
    error = CheckFailedError(
        f"{len(failed)} of {len(report.checks)} checks failed: {', '.join(check.name for check in failed)}",
        hint=next((check.hint for check in failed if check.hint), "docs/serving.md says what each contract answers."),
        detail=f"the container's log:\n{log[-6000:]}" if log else "",
    )
    error.document = document
    raise error
