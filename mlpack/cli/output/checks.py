"""Checks as people and CI see them: a line each, the figures, the JUnit file."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from mlpack.artifacts.report import Check, Report
from mlpack.cli.output.console import Console
from mlpack.shown import human_size, shown
from mlpack.workspace import write_atomically


def conclude(console: Console, report: Report, *, engine: str, receipt: Path | None) -> int:
    """Print the outcome of a test whose checks all passed; without a receipt it was not an image's."""
    document = report.to_json() | {"engine": engine, "receipt": None if receipt is None else str(receipt)}
    if receipt is None:
        del document["image_size"]
    console.document(document)
    show_report(console, report, receipt)
    return 0


def show_check(console: Console, check: Check) -> None:
    """One line as soon as a check is done."""
    mark = "ok  " if check.ok else "FAIL"
    console.text(f"  {mark} {check.name:<24} {check.seconds * 1000:>8.0f} ms  {check.detail[:300]}")


def show_report(console: Console, report: Report, receipt: Path | None) -> None:
    """The figures below the checks."""
    latency = report.latency_ms
    rows = [
        ("checks", f"{len(report.checks)} passed"),
        ("cold start", f"{report.cold_start_ms:.0f} ms" if report.cold_start_ms is not None else "not measured"),
        ("latency", f"p50 {latency['p50']} ms, p99 {latency['p99']} ms" if latency else "not measured"),
        (
            "peak memory",
            f"{report.peak_memory_mb} MiB" if report.peak_memory_mb is not None else "not told by the engine",
        ),
    ]
    if receipt is None:
        rows.append(("receipt", "none: this was not the image; build it, and `mlpack test` that"))
    else:
        near = receipt.relative_to(Path.cwd()) if receipt.is_relative_to(Path.cwd()) else receipt
        rows += [("image size", human_size(report.image_size)), ("receipt", str(near))]
    console.table(rows, styles=("bold", ""))


def write_junit(report: Report, file: Path) -> None:
    """The checks as JUnit XML, one test case each."""
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
