"""How a test looks to a person and to a CI: the table of checks, the JUnit file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from mlpack.artifacts.report import Check, Report
from mlpack.checks.smoke import Expectation
from mlpack.cli.output.ci_summary import test_summary, write_summary
from mlpack.cli.output.console import Console, human_size
from mlpack.engines.base import Limits
from mlpack.errors import CheckFailedError, ConfigError, UsageError
from mlpack.shown import shown
from mlpack.workspace import write_whole

if TYPE_CHECKING:
    from mlpack.config import Test


def expectation(test: Test) -> Expectation:
    """The user's question and answer, read from their files."""
    return Expectation(request=read_json(test.request), expected=read_json(test.expected), tolerance=test.tolerance)


def read_json(file: Path | None) -> Any | None:
    """A JSON file's value, None for no file; raises UsageError, ConfigError."""
    if file is None:
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", hint="Name an existing JSON file.") from error
    except ValueError as error:
        raise ConfigError(f"{file} is not JSON: {error}", hint='Such as {"instances": [[1, 2, 3]]}.') from error


def limits_of(memory: str) -> Limits:
    """Limits with the memory that the user gave: 512MiB, 2GiB, 2GB."""
    from mlpack.config import parse_size

    try:
        return Limits(memory=parse_size(memory))
    except ValueError as error:
        raise UsageError(f"--memory: {error}", hint="Such as 512MiB or 2GiB.") from error


def show_check(console: Console, check: Check) -> None:
    """One line as soon as a check is done."""
    mark = "ok  " if check.ok else "FAIL"
    console.text(f"  {mark} {check.name:<24} {check.seconds * 1000:>8.0f} ms  {check.detail[:300]}")


def conclude(
    console: Console, report: Report, log: str, *, engine: str, receipt: Path | None, junit: Path | None
) -> int:
    """Tells how a test ended, to people, scripts and CI: 0 when every check passed, else raises CheckFailedError.

    Without a receipt it was no image, so there is no size of one.
    """
    if junit is not None:
        write_junit(report, junit)
    document = report.to_json() | {"engine": engine, "receipt": None if receipt is None else str(receipt)}
    if receipt is None:
        del document["image_size"]
    write_summary(test_summary(report))
    refuse_failed(report, log, document)
    console.document(document)
    show(console, report, receipt)
    return 0


def refuse_failed(report: Report, log: str, document: dict[str, Any]) -> None:
    """Raises CheckFailedError when a check did not hold; a document without a receipt was no image's."""
    if report.ok:
        return
    receipt = document.get("receipt")
    failed = [check for check in report.checks if not check.ok]
    names = ", ".join(check.name for check in failed)
    error = CheckFailedError(
        f"{len(failed)} of {len(report.checks)} checks failed: {names}",
        hint=next((check.hint for check in failed if check.hint), ""),
        detail=f"the {'process' if receipt is None else 'container'}'s log:\n" + log[-6000:],
    )
    error.document = document
    raise error


def show(console: Console, report: Report, receipt: Path | None) -> None:
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
    write_whole(file, ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n")
