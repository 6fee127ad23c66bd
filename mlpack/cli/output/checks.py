"""Output of checks: a line for each, the measurements, the JUnit file, the result of contract checks."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from mlpack.artifacts.report import Check, Report
from mlpack.cli.output.console import Console
from mlpack.errors import CheckFailedError
from mlpack.shown import human_size, shown
from mlpack.workspace import write_atomically


def conclude(console: Console, report: Report, *, engine: str, receipt: Path | None) -> int:
    """Print the result of a passed test; `receipt` is None for a local process. Return the exit code 0."""
    document = report.to_json() | {"engine": engine, "receipt": None if receipt is None else str(receipt)}
    if receipt is None:
        del document["image_size"]
    console.document(document)
    show_report(console, report, receipt)
    return 0


def conclude_contracts(console: Console, report: Report, log: str, names: list[str]) -> int:
    """Print the result of contract checks; return 0 if all passed, else raise CheckFailedError."""
    document = {"ok": report.ok, "contracts": names, "checks": [check.to_json() for check in report.checks]}
    failed = [check for check in report.checks if not check.ok]
    if not failed:
        console.document(document)
        rows = [("contracts", ", ".join(names)), ("checks", f"{len(report.checks)} passed")]
        console.table(rows, styles=("bold", ""))
        return 0
    error = CheckFailedError(
        f"{len(failed)} of {len(report.checks)} checks failed: {', '.join(check.name for check in failed)}",
        hint=next((check.hint for check in failed if check.hint), "docs/serving.md describes each contract."),
        detail=f"the container's log:\n{log[-6000:]}" if log else "",
    )
    error.document = document
    raise error


def show_check(console: Console, check: Check) -> None:
    """Print one line when a check has ended."""
    mark = "ok  " if check.ok else "FAIL"
    console.text(f"  {mark} {check.name:<24} {check.seconds * 1000:>8.0f} ms  {check.detail[:300]}")


def show_report(console: Console, report: Report, receipt: Path | None) -> None:
    """Print the measurements of a test."""
    latency = report.latency_ms
    rows = [
        ("checks", f"{len(report.checks)} passed"),
        ("cold start", f"{report.cold_start_ms:.0f} ms" if report.cold_start_ms is not None else "not measured"),
        ("latency", f"p50 {latency['p50']} ms, p99 {latency['p99']} ms" if latency else "not measured"),
        (
            "peak memory",
            f"{report.peak_memory_mb} MiB" if report.peak_memory_mb is not None else "not measured by the engine",
        ),
    ]
    if receipt is None:
        rows.append(("receipt", "none: this was not the image; build the image, and run `mlpack test` for it"))
    else:
        near = receipt.relative_to(Path.cwd()) if receipt.is_relative_to(Path.cwd()) else receipt
        rows += [("image size", human_size(report.image_size)), ("receipt", str(near))]
    console.table(rows, styles=("bold", ""))


def write_junit(report: Report, file: Path) -> None:
    """Write the checks as JUnit XML, one test case each."""
    failures = sum(not check.ok for check in report.checks)
    suite = ET.Element(
        "testsuite",
        name="mlpack test",
        tests=str(len(report.checks)),
        failures=str(failures),
        time=f"{sum(check.seconds for check in report.checks):.3f}",
    )
    for check in report.checks:
        case = ET.SubElement(suite, "testcase", classname="mlpack", name=check.name, time=f"{check.seconds:.3f}")
        if not check.ok:
            ET.SubElement(case, "failure", message=shown(check.detail)).text = shown(check.hint)
    write_atomically(file, ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n")
