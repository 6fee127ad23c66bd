"""Recording of a request and its answer, as the expected answer of later tests: Recording."""

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
    """Records the first request and answer of a test, and writes them to files after the test has passed."""

    def __init__(self, config: Config, folder: Path) -> None:
        place = folder if config.file is None else config.file.parent
        self.request = config.test.request or place / "request.json"
        self.expected = config.test.expected or place / "expected.json"
        self._named = config.test.expected is not None
        self._seen: list[tuple[Any, Any]] = []

    def attach(self, wanted: Expectation) -> Expectation:
        """The same expectation without an expected answer, so that the actual answer is recorded."""
        return replace(wanted, expected=None, on_answer=lambda body, answer: self._seen.append((body, answer)))

    def write(self) -> list[str]:
        """Write both files, except a request file that exists; return lines for people."""
        if not self._seen:
            raise UsageError("there was no answer to record", hint="See the failed checks above.")
        body, answer = self._seen[0]
        if not self.request.exists():
            write_atomically(self.request, json.dumps(body, indent=1) + "\n")
        write_atomically(self.expected, json.dumps(answer, indent=1) + "\n")
        lines = [f"Recorded {len(answer['predictions'])} answers in {self.expected}"]
        if not self._named:
            names = f"request: {self.request.name}, expected: {self.expected.name}"
            lines.append(f"To compare with it, add to mlpack.yaml: test: {{{names}}}")
        return lines
