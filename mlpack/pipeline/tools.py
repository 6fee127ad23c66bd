"""What the line works with: Reporter, Tools, the Options of one run, and a Service that it started."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.report import Check, Report
from mlpack.artifacts.service import Plan
from mlpack.checks.smoke import Expectation
from mlpack.engines.base import Engine, Limits, LocalRunner, Running
from mlpack.errors import EngineError
from mlpack.formats.base import Format
from mlpack.packages.settings import PackageSettings
from mlpack.registries.destinations import Destination
from mlpack.sources.base import Source
from mlpack.targets.base import Target
from mlpack.workspace import Workspace


class Reporter(Protocol):
    """What the line reports while it works, to people or to a program."""

    def progress(self, title: str) -> AbstractContextManager[OnProgress]:
        """A display of a long step."""

    def note(self, line: str) -> None:
        """A remark about the work."""

    def warn(self, line: str) -> None:
        """A remark that should not be missed."""

    def testing(self, what: str) -> None:
        """A service is started to be checked."""

    def check(self, check: Check) -> None:
        """A check of a running service has ended."""

    def reached(self, value: Any) -> None:
        """A step has returned this value."""

    def checked(self, report: Report) -> None:
        """All checks have ended; some may have failed."""

    def approve(self, plan: Plan) -> None:
        """A deploy will change something: return to go on; raise InterruptedByUser to stop before anything changed."""


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What the steps work with. The engine is connected, and package settings are read, at their first use."""

    formats: Mapping[str, Format]
    sources: Sequence[Source]
    engine_name: str
    connect: Callable[[], Engine]
    local: LocalRunner | None  # in place of an engine
    packages: Callable[[], PackageSettings]
    target: Callable[[str | None], Target | None]  # by the image's name, where the user named no service
    destination: Callable[[Target | None, str], Destination | None]  # of an image of this name; None: it stays
    runtime_requirements: str
    cache: Path
    workspace: Workspace
    reporter: Reporter

    @property
    def engine(self) -> Engine:
        """The container engine, connected. Raises EngineError for a local runner, which has no images."""
        if self.local is not None:
            raise EngineError(
                "the process engine runs a model on this machine; it builds, tags and pushes no image",
                hint="Leave --engine process out.",
            )
        return self.connect()

    def platform(self) -> str:
        """The engine's own platform, else this machine's as an image's."""
        try:
            return self.engine.facts().platform
        except EngineError:
            return "linux/arm64" if os.uname().machine in {"aarch64", "arm64"} else "linux/amd64"

    def base_digest(self, base: str, platform: str) -> str | None:
        """The digest of a base image; None without an engine."""
        try:
            return self.engine.base_digest(base, platform)
        except EngineError:
            return None


@dataclass(frozen=True, kw_only=True)
class Options:
    """The choices of one run that are not in mlpack.yaml.

    `verification`: "run" always checks the image; "reuse" takes the kept receipt of an image that was not built anew;
    "require" takes a kept one only; "skip" goes on without.
    """

    include: tuple[Path, ...] = ()
    trust: bool = False
    refresh: bool = False  # resolve again, though a lock is kept
    secrets: bool = True  # of package indexes, handed to the build
    tags: tuple[str, ...] = ()
    force: bool = False  # move the tag of a version to other content
    use_cache: bool = True
    limits: Limits = field(default_factory=Limits)
    expectation: Expectation = field(default_factory=Expectation)
    verification: Literal["run", "reuse", "require", "skip"] = "run"
    receipt: Path | None = None
    traffic: bool = True  # a deploy moves the traffic to the new release
    platform: str | None = None  # of the target that the image is for


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service that runs here: its card, its name for people, and the image's id (None: a local process)."""

    running: Running
    card: Mapping[str, Any]
    name: str
    image: str | None
