"""Progress, an event of a long step, and OnProgress, which receives the events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Progress:
    """An event of a long step: `step` identifies the step, so that a display can update its row.

    `current` and `total` are in bytes, if known; `seconds` is set when the step has ended; `log` is an output line;
    `cached` marks a step with a cached result; `error` is set when the step has failed.
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
    """A function of (bytes done, bytes in all) that reports them as progress of one step."""
    return lambda done, total: on_progress(Progress(step=step, title=title, current=done, total=total))
