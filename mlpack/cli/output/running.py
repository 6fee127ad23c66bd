"""Output of `mlpack run`: wait until the service is ready, print a request, follow the service until it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack.artifacts.diagnosis import Diagnosis, diagnose, unverified
from mlpack.checks.client import Client, Unanswered
from mlpack.checks.requests import sample_rows
from mlpack.cli.output.console import Console
from mlpack.engines.base import Running
from mlpack.errors import CheckFailedError
from mlpack.pipeline.service import LocalService
from mlpack.workspace import curl_data


def follow_service(console: Console, service: LocalService, *, engine: str, request_file: Path) -> int:
    """Print the URL and a request as soon as the service is ready, and wait until it ends.

    A request that is too long for a command line is written to `request_file`.
    """
    running = service.running
    if not sys.stderr.isatty():  # a terminal shows the progress
        console.note(f"starting {service.name}")
    with console.progress("starting") as _:
        problem = wait_ready(running)
    if problem is not None:
        console.warn(f"{problem.reason}. {problem.hint}")
    line = curl_line(service.card, running.url, request_file)
    console.document({"url": running.url, "image": service.image, "engine": engine, "curl": line})
    console.text(f"Serving {service.name} at {running.url}; Ctrl-C stops it. Send a request:")
    console.text()
    console.text(line)
    console.text()
    console.brief(running.url)
    return follow(running)


def wait_ready(running: Running, *, limit_s: float = 240) -> Diagnosis | None:
    """Wait until the service is ready; return why its model has answered no row yet, None if it has.

    Raises CheckFailedError with the reason and the log if the service ends or the time is over.
    """
    began = time.monotonic()
    seen = "no answer"
    with Client(running.url) as client:
        while time.monotonic() - began < limit_s and running.alive():
            try:
                answer = client.get("/ready")
            except Unanswered as nothing:
                seen = str(nothing)
            else:
                if answer.status == 200:
                    return unverified(answer.text, running.logs())
                seen = answer.text[:300]
            time.sleep(0.05)
    log = running.logs()
    found = None if running.alive() else diagnose(log)
    if found is not None:
        raise CheckFailedError(found.reason, hint=found.hint or "The log above shows more.", detail=log[-6000:])
    ended = "" if running.alive() else "it ended; "
    raise CheckFailedError(f"not ready: {ended}{seen}", hint="The log above shows the reason.", detail=log[-6000:])


def curl_line(card: Mapping[str, Any], url: str, request_file: Path | None = None) -> str:
    """A shell command that sends one valid row to the service."""
    data = curl_data({"instances": sample_rows(card, 1)}, request_file)
    return f"curl -s {url}/predict -H 'Content-Type: application/json' {data}"


def follow(running: Running) -> int:
    """Wait until the service ends; Ctrl-C stops it gracefully. Raises CheckFailedError if it ends by itself."""
    try:
        while running.alive():
            time.sleep(0.5)
    except KeyboardInterrupt:
        running.stop(grace_s=10)
        raise
    raise CheckFailedError("the service ended by itself", hint="Its log is above.", detail=running.logs()[-6000:])
