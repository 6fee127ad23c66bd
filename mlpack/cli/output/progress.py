"""Display of progress: updated rows on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlpack.artifacts.progress import OnProgress, Progress
from mlpack.shown import shown

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import TaskID

_WIDTH_FOR_BARS = 72  # terminal columns
_FIGURES = 26  # columns of the spinner, the bytes and the time
_SHORTEST = 10


@contextmanager
def live(console: RichConsole, title: str) -> Iterator[OnProgress]:
    """Display one row per running step; a finished step becomes a line above, with its seconds."""
    from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    class _Bytes(DownloadColumn):
        """The bytes of a step that counts bytes; empty for others."""

        def render(self, task: Any) -> Any:
            return super().render(task) if task.total else ""

    # On a narrow terminal, titles are cut and there is no bar.
    width = min(60, max(_SHORTEST, console.width - _FIGURES))
    bar = (BarColumn(bar_width=24),) if console.width >= _WIDTH_FOR_BARS else ()
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), *bar, _Bytes(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    finished: set[str] = set()
    with Bars(*columns, console=console, transient=True) as bars:
        bars.add_task(title, total=None)

        def on_progress(event: Progress) -> None:
            if event.step in finished:
                return
            if event.step not in tasks:
                tasks[event.step] = bars.add_task(_cut(shown(event.title), width), total=event.total)
            if event.seconds is not None or event.error:
                finished.add(event.step)
                bars.remove_task(tasks[event.step])
                console.print(shown(_line(event, console.width)), markup=False, highlight=False, soft_wrap=True)
            elif event.current is not None:
                bars.update(tasks[event.step], completed=event.current, total=event.total)

        yield on_progress


@contextmanager
def plain() -> Iterator[OnProgress]:
    """Print a line when a step ends, and every 15 s while a step reports bytes."""
    printed: dict[str, float] = {}
    finished: set[str] = set()

    def on_progress(event: Progress) -> None:
        now = time.monotonic()
        if event.step in finished:
            return
        if event.seconds is not None or event.error:
            finished.add(event.step)
            _print(_line(event, None))
        elif event.current is not None and now - printed.setdefault(event.step, now) > 15:
            printed[event.step] = now
            done = f"{event.current / 1e6:.0f} MB" + (f" of {event.total / 1e6:.0f} MB" if event.total else "")
            _print(f"  {event.title}: {done}")

    yield on_progress


def _print(line: str) -> None:
    """Print a line on stderr without rich, whose import takes a tenth of a second."""
    sys.stderr.write(f"{shown(line)}\n")
    sys.stderr.flush()


def _line(event: Progress, width: int | None) -> str:
    """A finished step: its title, cut to the width; its bytes; its duration or error."""
    mark = "x" if event.error else "-"
    took = "cached" if event.cached else f"{event.seconds or 0:.1f} s"
    size = f"  {event.total / 1e6:.1f} MB" if event.total and event.current == event.total else ""
    rest = f"{size}  {event.error or took}"
    longest = None if width is None else max(_SHORTEST, width - len(mark) - len(rest) - 1)
    return f"{mark} {_cut(event.title, longest)}{rest}"


def _cut(text: str, longest: int | None) -> str:
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"
