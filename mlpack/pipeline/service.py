"""Around the line: a service for `mlpack run`, contract checks, and what a test expects or records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.report import Report
from mlpack.checks.conformance import Question, check_image, check_url
from mlpack.checks.contracts.base import Contract
from mlpack.checks.recording import Recording
from mlpack.pipeline.line import Line
from mlpack.pipeline.tools import Service
from mlpack.pipeline.verify import expectation_of


@contextmanager
def serve(line: Line, start: Any, *, publish: int = 0) -> Iterator[Service]:
    """A running service of an image, or of a model in a local process; it ends with the `with`."""
    if line.tools.local is not None:
        bundle = line.run(start, Bundle)
        with line.serve_locally(bundle, publish=publish) as running:
            name = f"{bundle.name}, a local process and not the image,"
            yield Service(running=running, card=bundle.card, name=name, image=None)
        return
    image = line.run(start, Image)
    with line.tools.engine.run(image, limits=line.options.limits, env={}, port=8080, publish=publish) as running:
        name = image.tags[0] if image.tags else image.id
        yield Service(running=running, card=image.card, name=name, image=image.id)


def conform(
    line: Line, reference: str | None, contracts: Sequence[Contract], question: Question, *, port: int | None
) -> tuple[Report, str]:
    """Check serving contracts on an image, of ours or of others, or on a URL; gives the report and the log.

    `port` is where the image's server listens when it ignores PORT.
    """
    reporter = line.tools.reporter
    names = ", ".join(one.name for one in contracts)
    if reference is not None and reference.startswith(("http://", "https://")):
        reporter.testing(f"{reference}: {names}")
        return check_url(reference, contracts, question, reporter.check), ""
    image, limits = line.image(reference, foreign=True), line.options.limits
    if not image.card:  # what an image of others needs is unknown: its own user, files and rights
        limits = replace(limits, user="", read_only=False, tmp_bytes=0, capabilities=True, pids=None)
    reporter.testing(f"{image.tags[0] if image.tags else image.id}: {names}")
    return check_image(
        image,
        contracts,
        replace(question, card=image.card or None),
        runner=line.tools.engine,
        limits=limits,
        port=port,
        on_check=reporter.check,
    )


def expecting(line: Line) -> Line:
    """The line with the user's own request and answer, read from the files that mlpack.yaml or options name."""
    return replace(line, options=replace(line.options, expectation=expectation_of(line.config.test)))


def recording(line: Line) -> tuple[Line, Recording]:
    """The line that keeps the first answer of a test, and the recording that it is kept in.

    A recording replaces the old answer, so that file need not exist; a request that is missing is made.
    """
    kept = Recording(line.config, line.tools.workspace.folder)
    without = {"expected": None} if kept.request.exists() else {"expected": None, "request": None}
    expectation = kept.listen(expectation_of(line.config.test.model_copy(update=without)))
    return replace(line, options=replace(line.options, expectation=expectation)), kept
