"""`mlpack test --record`: the question and the container's answer, kept for the next test."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlpack.checks.smoke import Expectation
from mlpack.cli.output.console import Console
from mlpack.errors import UsageError
from mlpack.workspace import write_whole

if TYPE_CHECKING:
    from mlpack.config import Config


class Recording:
    """Takes what was asked and answered while a test runs, and writes it once the test has passed."""

    def __init__(self, config: Config, folder: Path) -> None:
        place = folder if config.file is None else config.file.parent
        self.request = config.test.request or place / "request.json"
        self.expected = config.test.expected or place / "expected.json"
        self._named = config.test.expected is not None
        self._seen: list[tuple[Any, Any]] = []

    def listen(self, wanted: Expectation) -> Expectation:
        """The same question, without an answer to compare: it is the answer that is wanted."""
        return replace(wanted, expected=None, on_answer=lambda body, answer: self._seen.append((body, answer)))

    def write(self, console: Console) -> None:
        """Writes both files; a request that the user wrote stays as it is."""
        if not self._seen:
            raise UsageError("nothing was answered, so nothing is recorded", hint="See the failed checks above.")
        body, answer = self._seen[0]
        if not self.request.exists():
            write_whole(self.request, json.dumps(body, indent=1) + "\n")
        write_whole(self.expected, json.dumps(answer, indent=1) + "\n")
        console.text(f"Recorded {len(answer['predictions'])} answers in {self.expected}")
        if not self._named:
            console.text(
                f"Next time: test: {{request: {self.request.name}, expected: {self.expected.name}}} in mlpack.yaml"
            )
