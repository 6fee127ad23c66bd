"""Source packages in messages: the options that allow them, and whose code a build runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mlpack.artifacts.lock import Lock
from mlpack.artifacts.needs import Answer, Unmet, error_of
from mlpack.packages.names import normalise
from mlpack.packages.sdists.needed import SourceOnlyError
from mlpack.pipeline.tools import Reporter


@contextmanager
def answers_for(command: str) -> Iterator[None]:
    """Add the options that allow source packages, and the whole command line, to an error about them."""
    try:
        yield
    except SourceOnlyError as error:
        answers = tuple(Answer("--sdist", name) for name in error.names)
        raise error_of([Unmet(error=error, answers=answers)], command) from None


def report_sources(lock: Lock, allowed: Iterable[str], reporter: Reporter) -> None:
    """Say whose code the build runs, and warn about names that need not be allowed."""
    built = [f"{one.name} {one.version}" for one in lock.sdists]
    if built:
        reporter.warn(
            f"the build runs the setup code of {', '.join(built)}, whose source packages you allowed to be built"
        )
    needless = {normalise(name) for name in allowed} - {one.name for one in lock.sdists}
    if needless:
        reporter.warn(
            f"`build: {{sdists: ...}}` is not needed for {', '.join(sorted(needless))}: a wheel is installed, or nothing "
            "requires it"
        )
