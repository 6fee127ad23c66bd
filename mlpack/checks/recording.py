"""A recorded request and answer, kept for the next test: Recording."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlpack.checks.smoke import Expectation
from mlpack.config import Config
from mlpack.errors import UsageError
from mlpack.workspace import write_atomically


class Recording:
    """Keeps the first request and answer of a test, and writes them once the test has passed."""

    def __init__(self, config: Config, folder: Path) -> None:
        place = folder if config.file is None else config.file.parent
        self.request = config.test.request or place / "request.json"
        self.expected = config.test.expected or place / "expected.json"
        self._named = config.test.expected is not None
        self._seen: list[tuple[Any, Any]] = []

    def listen(self, wanted: Expectation) -> Expectation:
        """The same expectation, without an answer to compare: the answer is what will be kept."""
        return replace(wanted, expected=None, on_answer=lambda body, answer: self._seen.append((body, answer)))

    def write(self) -> list[str]:
        """Write both files, and say so in lines for people; a request that the user wrote stays as it is."""
        if not self._seen:
            raise UsageError("nothing was answered, so nothing is recorded", hint="See the failed checks above.")
        body, answer = self._seen[0]
        if not self.request.exists():
            write_atomically(self.request, json.dumps(body, indent=1) + "\n")
        write_atomically(self.expected, json.dumps(answer, indent=1) + "\n")
        lines = [f"Recorded {len(answer['predictions'])} answers in {self.expected}"]
        if not self._named:
            names = f"request: {self.request.name}, expected: {self.expected.name}"
            lines.append(f"Next time: test: {{{names}}} in mlpack.yaml")
        return lines
