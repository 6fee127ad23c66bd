"""The checks of a running service, one after the other: Checklist."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mlpack.artifacts.report import Check
from mlpack.checks.client import Unanswered

OnCheck = Callable[[Check], None]


class FailedCheckError(Exception):
    """Raised by a check function that fails; Checklist records it as a failed check.

    A `hint` replaces the one that the check has for any failure.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(kw_only=True)
class Checklist:
    """The results so far; `on_check` is called with each result as soon as it is known."""

    on_check: OnCheck
    checks: list[Check] = field(default_factory=list)

    def check(self, name: str, function: Callable[[], str], *, hint: str = "") -> bool:
        """Run a check function, which returns what it observed; it fails by FailedCheckError or Unanswered."""
        began = time.perf_counter()
        try:
            detail, ok = function(), True
        except (FailedCheckError, Unanswered) as error:
            detail, ok = str(error), False
            hint = getattr(error, "hint", "") or hint
        detail = detail.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be encoded
        check = Check(name=name, ok=ok, seconds=time.perf_counter() - began, detail=detail, hint="" if ok else hint)
        self.checks.append(check)
        self.on_check(check)
        return ok
