"""What the line depends on: Reporter, Tools and the Options of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from platform import machine
from typing import Any, Literal, Protocol

from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.report import Check, Report
from mlpack.artifacts.service import Plan
from mlpack.checks.smoke import Expectation
from mlpack.engines.base import Engine, Limits, LocalRunner
from mlpack.errors import EngineError
from mlpack.formats.base import Format
from mlpack.packages.settings import PackageSettings
from mlpack.registries.destinations import Destination
from mlpack.sources.base import Source
from mlpack.targets.base import Target
from mlpack.workspace import Workspace


class Reporter(Protocol):
    """The connection to the user, a person or a program: receives reports, and confirms a plan."""

    def progress(self, title: str) -> AbstractContextManager[OnProgress]:
        """Display a long step."""

    def note(self, text: str) -> None:
        """Report a detail."""

    def warn(self, text: str) -> None:
        """Report a warning."""

    def testing(self, what: str) -> None:
        """Report that checks of a service begin."""

    def check(self, check: Check) -> None:
        """Report the result of one check."""

    def reached(self, value: Any) -> None:
        """Report the value that a step returned."""

    def checked(self, report: Report) -> None:
        """Report that all checks have ended; some may have failed."""

    def approve(self, plan: Plan) -> None:
        """Ask the user to confirm a plan; raise InterruptedByUser to stop before any change."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What the steps use. The engine is connected, and package settings are read, at their first use."""

    formats: Mapping[str, Format]
    sources: Sequence[Source]
    engine_name: str
    connect: Callable[[], Engine]
    local: LocalRunner | None  # serves the model in a process, so that no engine is used
    packages: Callable[[], PackageSettings]
    target: Callable[[str | None], Target | None]  # called with the image's name, the default name of the service
    destination: Callable[
        [Target | None, str], Destination | None
    ]  # where the image of this name is pushed; None: nowhere
    runtime_requirements: str
    cache: Path
    workspace: Workspace
    reporter: Reporter

    @property
    def engine(self) -> Engine:
        """The engine, connected at its first use. Raises EngineUnavailableError if it cannot be reached, or has no images."""
        return self.connect()

    def platform(self, allowed: Sequence[str] = ()) -> str:
        """The platform to build for: the engine's, or this machine's without one; if it is not `allowed`, the first that is."""
        if len(allowed) == 1:
            return allowed[0]
        try:
            own = self.engine.facts().platform
        except EngineError:
            own = "linux/arm64" if machine().lower() in {"aarch64", "arm64"} else "linux/amd64"
        return own if not allowed or own in allowed else allowed[0]

    def base_digest(self, base: str, platform: str) -> str | None:
        """The digest of a base image; None without an engine."""
        try:
            return self.engine.base_digest(base, platform)
        except EngineError:
            return None


@dataclass(frozen=True, kw_only=True)
class Options:
    """The choices of one run, from the command line or from the command itself.

    `verification`: "run" checks the image; "reuse" takes the stored receipt of an image that was not rebuilt, and fails if a
    check in it failed; "require" takes a stored receipt and never checks; "skip" continues without a receipt. `receipt` is a
    file: read with "require", else the receipt is written there too.
    """

    include: tuple[Path, ...] = ()
    require: tuple[str, ...] = ()  # packages in addition to `requirements:`
    sdist: tuple[str, ...] = ()  # source packages to build in addition to `build.sdists`
    trust: bool = False
    refresh: bool = False  # resolve again, even if a lock is cached
    secrets: bool = True  # pass the logins of package indexes to the build
    tags: tuple[str, ...] = ()
    force: bool = False  # let the tag of an existing version point to another image
    use_cache: bool = True
    limits: Limits = field(default_factory=Limits)
    expectation: Expectation = field(default_factory=Expectation)
    verification: Literal["run", "reuse", "require", "skip"] = "run"
    receipt: Path | None = None
    traffic: bool = True  # a deploy moves the traffic to the new release
    platforms: tuple[str, ...] = ()  # that the target can run; (): every platform
    packages: bool = True  # False for another server's image, into which no packages are installed
    command: str = "mlpack build"  # as the user typed it, with the model and its options
