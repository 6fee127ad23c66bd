"""From Image to Verified: run the container with stricter limits than Cloud Run sets, and check it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.release import Verified
from mlpack.artifacts.report import Report
from mlpack.checks.checklist import OnCheck
from mlpack.checks.smoke import Expectation, examine
from mlpack.config import Test, parse_size
from mlpack.engines.base import Limits, Runner
from mlpack.errors import CheckFailedError, ConfigError, UsageError
from mlpack.version import __version__

_PORT = 34871  # not 8080, to detect a server that ignores PORT


def verify(
    image: Image,
    *,
    runner: Runner,
    expectation: Expectation | None = None,
    limits: Limits | None = None,
    start_s: float = 240,
    on_check: OnCheck = lambda _: None,
) -> tuple[Verified, str]:
    """Check a running container of the image; return the result and the container's log.

    A failed check is in the report and raises nothing. Raises EngineError if the engine cannot run the image.
    """
    report, log = examine(
        lambda: runner.run(image, limits=limits or Limits(), env={}, port=_PORT),
        image.card,
        expectation=expectation,
        start_s=start_s,
        on_check=on_check,
    )
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    report = replace(report, image_size=image.size)
    return Verified(image=image, report=report, mlpack_version=__version__, time=now), log


def failed_checks(report: Report, log: str, *, engine: str, receipt: Path | None) -> CheckFailedError:
    """The error for a report with failed checks; `receipt` is None for a local process."""
    failed = [check for check in report.checks if not check.ok]
    names = ", ".join(check.name for check in failed)
    error = CheckFailedError(
        f"{len(failed)} of {len(report.checks)} checks failed: {names}",
        hint=next((check.hint for check in failed if check.hint), ""),
        detail=f"the {'process' if receipt is None else 'container'}'s log:\n" + log[-6000:],
    )
    document = report.to_json() | {"engine": engine, "receipt": None if receipt is None else str(receipt)}
    if receipt is None:
        del document["image_size"]
    error.document = document
    return error


def expectation_of(test: Test) -> Expectation:
    """The user's request and expected answer, read from their files. Raises UsageError, ConfigError."""
    return Expectation(request=read_json(test.request), expected=read_json(test.expected), tolerance=test.tolerance)


def read_json(file: Path | None) -> Any | None:
    """The value in a JSON file, None without a file; raises UsageError, ConfigError."""
    if file is None:
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", hint="Name an existing JSON file.") from error
    except ValueError as error:
        raise ConfigError(f"{file} is not JSON: {error}", hint='Example: {"instances": [[1, 2, 3]]}.') from error


def limits_of(memory: str) -> Limits:
    """Limits with a memory size such as 512MiB, 2GiB or 2GB. Raises UsageError."""
    try:
        return Limits(memory=parse_size(memory))
    except ValueError as error:
        raise UsageError(f"--memory: {error}", hint="Examples: 512MiB, 2GiB.") from error
