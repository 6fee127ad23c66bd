"""Services for `mlpack run`, contract checks, and the expected or recorded answer of a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.report import Report
from mlpack.checks.conformance import ModelFacts, check_image, check_url
from mlpack.checks.contracts.base import Contract
from mlpack.checks.recording import Recording
from mlpack.engines.base import Running
from mlpack.pipeline.line import Line
from mlpack.pipeline.verify import expectation_of


@dataclass(frozen=True, kw_only=True)
class LocalService:
    """A service on this machine: its card, its name for messages, and the image's id (None: a local process)."""

    running: Running
    card: Mapping[str, Any]
    name: str
    image: str | None


@contextmanager
def serve(line: Line, start: Any, *, host_port: int = 0) -> Iterator[LocalService]:
    """Run a service of an image, or of a model in a local process, as a context manager."""
    if line.tools.local is not None:
        bundle = line.run(start, Bundle)
        with line.serve_locally(bundle, host_port=host_port) as running:
            name = f"{bundle.name} (a local process, not the image)"
            yield LocalService(running=running, card=bundle.card, name=name, image=None)
        return
    image = line.run(start, Image)
    with line.tools.engine.run(image, limits=line.options.limits, env={}, port=8080, host_port=host_port) as running:
        name = image.tags[0] if image.tags else image.id
        yield LocalService(running=running, card=image.card, name=name, image=image.id)


def check_contracts(
    line: Line, reference: str | None, contracts: Sequence[Contract], facts: ModelFacts, *, port: int | None
) -> tuple[Report, str]:
    """Check serving contracts on an image, built by mlpack or not, or on a URL; return the report and the log.

    `port` is the port of a server that ignores PORT.
    """
    reporter = line.tools.reporter
    names = ", ".join(one.name for one in contracts)
    if reference is not None and reference.startswith(("http://", "https://")):
        reporter.testing(f"{reference}: {names}")
        return check_url(reference, contracts, facts, reporter.check), ""
    image, limits = line.image(reference, foreign=True), line.options.limits
    if not image.card:  # the needs of a foreign image are unknown: run it as its own user, with writable files
        limits = replace(limits, user="", read_only=False, tmp_bytes=0, capabilities=True, pids=None)
    reporter.testing(f"{image.tags[0] if image.tags else image.id}: {names}")
    return check_image(
        image,
        contracts,
        replace(facts, card=image.card or None),
        runner=line.tools.engine,
        limits=limits,
        port=port,
        on_check=reporter.check,
    )


def with_expectation(line: Line) -> Line:
    """The line with the user's own request and expected answer, read from the files in mlpack.yaml or the options."""
    return replace(line, options=replace(line.options, expectation=expectation_of(line.config.test)))


def with_recording(line: Line) -> tuple[Line, Recording]:
    """The line that records the first request and answer of a test, and the recording.

    Neither file need exist: a recording replaces the expected answer, and a missing request is generated.
    """
    recording = Recording(line.config, line.tools.workspace.folder)
    unread = {"expected": None} if recording.request.exists() else {"expected": None, "request": None}
    expectation = recording.attach(expectation_of(line.config.test.model_copy(update=unread)))
    return replace(line, options=replace(line.options, expectation=expectation)), recording
