"""What the line reports, as a command shows it: ConsoleReporter."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.prepared import Prepared
from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.release import Planned
from mlpack.artifacts.report import Check, Report
from mlpack.artifacts.service import Plan
from mlpack.cli.output.checks import show_check, write_junit
from mlpack.cli.output.ci_summary import test_summary, write_summary
from mlpack.cli.output.console import Console
from mlpack.cli.output.deployment import show_plan
from mlpack.cli.output.image import show_image
from mlpack.workspace import write_atomically


class ConsoleReporter:
    """A Reporter. `junit` gets the checks as XML; `plan_file` the planned service; with `yes` nobody is asked to confirm."""

    def __init__(
        self, console: Console, *, junit: Path | None = None, plan_file: Path | None = None, yes: bool = False
    ) -> None:
        self._console = console
        self._junit, self._plan_file, self._yes = junit, plan_file, yes
        self._reasons: tuple[str, ...] = ()

    def progress(self, title: str) -> AbstractContextManager[OnProgress]:
        """The console's display of a long step."""
        return self._console.progress(title)

    def note(self, line: str) -> None:
        """A line on stderr."""
        self._console.note(line)

    def warn(self, line: str) -> None:
        """A warning on stderr."""
        self._console.warn(line)

    def testing(self, what: str) -> None:
        """The line above the checks."""
        self._console.text(f"Testing {what}")

    def check(self, check: Check) -> None:
        """A line for each check."""
        show_check(self._console, check)

    def checked(self, report: Report) -> None:
        """The JUnit file and the summary of the CI run."""
        if self._junit is not None:
            write_junit(report, self._junit)
        write_summary(test_summary(report))

    def reached(self, value: Any) -> None:
        """What a person wants to see of a value when it is new."""
        match value:
            case Prepared():
                for note in value.code.notes if value.code else ():
                    self._console.note(f"- {note}")
                for warning in value.info.warnings:
                    if warning.startswith("The file does not tell"):  # the service would refuse what the model takes
                        self._console.warn(warning)
            case Bundle():
                self._reasons = value.lock.reasons
            case Image():
                show_image(self._console, value, self._reasons)
            case Planned():
                show_plan(self._console, value.plan)
                if self._plan_file is not None:
                    write_atomically(self._plan_file, value.plan.document)
                    self._console.note(f"Wrote {self._plan_file}")

    def approve(self, plan: Plan) -> None:
        """Ask at the terminal, unless --yes was given."""
        if not self._yes:
            self._console.confirm(f"Deploy {plan.service}?")
