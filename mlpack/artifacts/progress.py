"""Progress of long work: Progress, one event, and OnProgress, which receives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """An event of long work: `step` is the same for one task, so that a display can update its row.

    `current` and `total` are in bytes where they are known; `seconds` is set when the step ended; `log` is an output
    line; `cached` marks a step that cost nothing; `error` a step that failed.
    """

    step: str
    title: str
    current: int | None = None
    total: int | None = None
    seconds: float | None = None
    log: str = ""
    cached: bool = False
    error: str = ""


OnProgress = Callable[[Progress], None]


def in_bytes(on_progress: OnProgress, step: str, title: str) -> Callable[[int, int], None]:
    """A receiver of bytes done and bytes in all, which reports them as one step."""
    return lambda done, total: on_progress(Progress(step=step, title=title, current=done, total=total))
