"""Promises of a running service, checked one after the other: Book."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mlpack.artifacts.report import Check
from mlpack.checks.client import Unanswered

OnCheck = Callable[[Check], None]


class BrokenPromiseError(Exception):
    """A check did not hold."""


@dataclass(kw_only=True)
class Book:
    """The checks so far; each is told as soon as it is done."""

    on_check: OnCheck
    checks: list[Check] = field(default_factory=list)

    def check(self, name: str, promise: Callable[[], str], *, hint: str = "") -> bool:
        """Runs one promise: it returns what it saw, or raises BrokenPromiseError. An answer that does not come fails it."""
        began = time.perf_counter()
        try:
            seen, ok = promise(), True
        except (BrokenPromiseError, Unanswered) as broken:
            seen, ok = str(broken), False
        seen = seen.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be written anywhere
        check = Check(name=name, ok=ok, seconds=time.perf_counter() - began, detail=seen, hint="" if ok else hint)
        self.checks.append(check)
        self.on_check(check)
        return ok
