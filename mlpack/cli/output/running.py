"""Output of `mlpack run`: wait until the service is ready, print a request, follow the service until it ends."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack.checks.readiness import wait_ready
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
