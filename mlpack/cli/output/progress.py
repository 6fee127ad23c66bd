"""How long work looks while it runs: rows that move on a terminal, plain lines elsewhere."""

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

_ROOM_FOR_BARS = 72  # cells
_FIGURES = 26  # cells of the spinner, the bytes and the time
_SHORTEST = 10


@contextmanager
def live(console: RichConsole, title: str) -> Iterator[OnProgress]:
    """One row a running step; a finished one turns into a line above with its seconds."""
    from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    class _Bytes(DownloadColumn):
        """Bytes where a step counts them, nothing where it does not."""

        def render(self, task: Any) -> Any:
            return super().render(task) if task.total else ""

    # A title gives way to the figures; a bar is for those who have the room.
    room = min(60, max(_SHORTEST, console.width - _FIGURES))
    bar = (BarColumn(bar_width=24),) if console.width >= _ROOM_FOR_BARS else ()
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), *bar, _Bytes(), TimeElapsedColumn())
    tasks: dict[str, TaskID] = {}
    finished: set[str] = set()
    with Bars(*columns, console=console, transient=True) as bars:
        bars.add_task(title, total=None)

        def on_progress(news: Progress) -> None:
            if news.step in finished:
                return
            if news.step not in tasks:
                tasks[news.step] = bars.add_task(_cut(shown(news.title), room), total=news.total)
            if news.seconds is not None or news.error:
                finished.add(news.step)
                bars.remove_task(tasks[news.step])
                console.print(shown(_line(news, console.width)), markup=False, highlight=False, soft_wrap=True)
            elif news.current is not None:
                bars.update(tasks[news.step], completed=news.current, total=news.total)

        yield on_progress


@contextmanager
def plain() -> Iterator[OnProgress]:
    """A line when a step ends, and one every 15 s while a step has bytes to tell."""
    told: dict[str, float] = {}
    finished: set[str] = set()

    def on_progress(news: Progress) -> None:
        now = time.monotonic()
        if news.step in finished:
            return
        if news.seconds is not None or news.error:
            finished.add(news.step)
            _say(_line(news, None))
        elif news.current is not None and now - told.setdefault(news.step, now) > 15:
            told[news.step] = now
            done = f"{news.current / 1e6:.0f} MB" + (f" of {news.total / 1e6:.0f} MB" if news.total else "")
            _say(f"  {news.title}: {done}")

    yield on_progress


def _say(line: str) -> None:
    """A line on stderr, without rich: a tenth of a second that no plain line is worth."""
    sys.stderr.write(f"{shown(line)}\n")
    sys.stderr.flush()


def _line(news: Progress, width: int | None) -> str:
    """A finished step: its title, cut where there is no room for it, its bytes, how long it took or why it failed."""
    mark = "x" if news.error else "-"
    took = "cached" if news.cached else f"{news.seconds or 0:.1f} s"
    size = f"  {news.total / 1e6:.1f} MB" if news.total and news.current == news.total else ""
    rest = f"{size}  {news.error or took}"
    room = None if width is None else max(_SHORTEST, width - len(mark) - len(rest) - 1)
    return f"{mark} {_cut(news.title, room)}{rest}"


def _cut(text: str, room: int | None) -> str:
    return text if room is None or len(text) <= room else text[: room - 1] + "\N{HORIZONTAL ELLIPSIS}"
