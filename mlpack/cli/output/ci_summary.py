"""Markdown for the summary page of a CI run, appended to the file that GITHUB_STEP_SUMMARY names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlpack.artifacts.report import Report
from mlpack.artifacts.service import Deployment
from mlpack.errors import MlpackError
from mlpack.shown import shown

_VARIABLE = "GITHUB_STEP_SUMMARY"


def write_summary(text: str) -> None:
    """Append to the summary page of the run, if there is one; errors are ignored."""
    name = os.environ.get(_VARIABLE)
    if not name:
        return
    try:
        with Path(name).open("a", encoding="utf-8", newline="\n") as page:
            page.write(f"{text}\n\n")
    except OSError:
        return


def test_summary(report: Report) -> str:
    """The result of a test: the failed checks, then the measurements."""
    failed = [check for check in report.checks if not check.ok]
    title = f"### mlpack test: {len(report.checks)} checks passed"
    if failed:
        title = f"### mlpack test: {len(failed)} of {len(report.checks)} checks failed"
    figures = [
        ("cold start", f"{report.cold_start_ms:.0f} ms" if report.cold_start_ms is not None else "not measured"),
        ("latency", ", ".join(f"{name} {value} ms" for name, value in report.latency_ms.items()) or "not measured"),
        ("peak memory", f"{report.peak_memory_mb} MiB" if report.peak_memory_mb is not None else "not measured"),
    ]
    rows = [(f"**{check.name}**", f"{check.detail} {check.hint}".strip()[:300]) for check in failed]
    return f"{title}\n\n{_table(('', ''), [*rows, *figures])}"


def deploy_summary(deployment: Deployment) -> str:
    """The result of a deployment: URL, image, verification, the command for a rollback, changes."""
    plan = deployment.plan
    result = deployment.measured.get("live") or deployment.measured.get("staged") or {}
    rows = [
        ("url", deployment.url),
        ("revision", f"`{deployment.revision}`"),
        ("image", f"`{deployment.image}`"),
        (
            "verified",
            deployment.verified + (f", {result['times']} requests, p95 {result['p95_ms']} ms" if result else ""),
        ),
        ("rollback", f"`{deployment.rollback}`"),
        *[("note", note) for note in deployment.notes],
    ]
    changes = [(f"`{change.field}`", change.before, change.after) for change in plan.changes]
    page = f"### mlpack deploy: {shown(plan.service)} on {plan.target}\n\n{_table(('', ''), rows)}"
    return page + (f"\n\n{_table(('changed', 'before', 'after'), changes)}" if changes else "")


def failure_summary(title: str, error: MlpackError) -> str:
    """An error with its remedy."""
    return f"### {title} failed: `{error.code}`\n\n{shown(error.message)}\n\n{shown(error.hint)}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [tuple(header), tuple("---" for _ in header), *rows]
    return "\n".join(
        "| " + " | ".join(shown(" ".join(cell.split())).replace("|", "\\|") for cell in row) + " |" for row in lines
    )
