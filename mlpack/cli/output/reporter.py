"""ConsoleReporter, which prints what the line reports."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.notice import SETTLED
from mlpack.artifacts.prepared import Prepared
from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.release import Planned
from mlpack.artifacts.report import Check, Report
from mlpack.artifacts.service import Plan
from mlpack.cli.output.checks import show_check, write_junit
from mlpack.cli.output.ci_summary import test_summary, write_summary
from mlpack.cli.output.console import Console
from mlpack.cli.output.deployment import show_plan
from mlpack.shown import human_seconds, human_size
from mlpack.workspace import write_atomically


class ConsoleReporter:
    """A Reporter. `junit` is a file for the checks as XML, `plan_file` one for the planned service; `yes` confirms plans."""

    def __init__(
        self, console: Console, *, junit: Path | None = None, plan_file: Path | None = None, yes: bool = False
    ) -> None:
        self._console = console
        self._junit, self._plan_file, self._yes = junit, plan_file, yes
        self._reasons: tuple[str, ...] = ()

    def progress(self, title: str) -> AbstractContextManager[OnProgress]:
        """Display a long step."""
        return self._console.progress(title)

    def note(self, line: str) -> None:
        """Print a line on stderr."""
        self._console.note(line)

    def warn(self, line: str) -> None:
        """Print a warning on stderr."""
        self._console.warn(line)

    def testing(self, what: str) -> None:
        """Print the line above the checks."""
        self._console.text(f"Testing {what}")

    def check(self, check: Check) -> None:
        """Print a line for the check."""
        show_check(self._console, check)

    def checked(self, report: Report) -> None:
        """Write the JUnit file and the summary of the CI run."""
        if self._junit is not None:
            write_junit(report, self._junit)
        write_summary(test_summary(report))

    def reached(self, value: Any) -> None:
        """Print what people need to know about a new value of the line."""
        match value:
            case Prepared():
                for note in value.code.notes if value.code else ():
                    self._console.note(f"- {note}")
                for notice in value.info.notices:
                    if notice.code not in SETTLED:
                        self._console.warn(notice.text)
            case Bundle():
                self._reasons = value.lock.reasons
            case Image():
                for warning in value.warnings:
                    self._console.warn(warning)
                show_image(self._console, value, self._reasons)
            case Planned():
                show_plan(self._console, value.plan)
                if self._plan_file is not None:
                    write_atomically(self._plan_file, value.plan.document)
                    self._console.note(f"Wrote {self._plan_file}")

    def approve(self, plan: Plan) -> None:
        """Ask for confirmation at the terminal, unless --yes was given."""
        if not self._yes:
            self._console.confirm(f"Deploy {plan.service}?")


def show_image(console: Console, image: Image, reasons: tuple[str, ...]) -> None:
    """Print a built image, and the reasons for the versions in it."""
    rows = [("image" if tag == image.tags[0] else "", tag) for tag in image.tags]
    rows += [("id", image.id), ("size", human_size(image.size))]
    rows += [("" if number else "because", reason) for number, reason in enumerate(reasons)]
    rows.append(("took", human_seconds(image.seconds) + (", nothing had changed" if image.cached else "")))
    console.table(rows, styles=("bold", ""))
