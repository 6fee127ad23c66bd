"""Counters and histograms for Prometheus: Metrics, with a slot of shared cells for each worker."""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from typing import Any, Callable, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)
_STATUSES = (200, 400, 404, 405, 408, 409, 413, 415, 422, 499, 500, 501, 503, 504, 507)
_OTHER = len(_STATUSES)
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_MOST_ROUTES = 96
_MEMORY = (
    "Resident memory of all processes of the service in bytes; what they share counts once (proportional set size)."
)
UNMATCHED = "unmatched"  # the route of what no route answers


class Metrics:
    """What this process counts, and the sums of all workers.

    The cells are doubles in memory that forked workers share: each writes its own slot, and each can read all of them.
    """

    def __init__(self, workers: int = 1) -> None:
        self._routes = {UNMATCHED: 0}
        self._requests = 5  # after the gauges: rows that wait, seconds to load, ready, process id, serving
        self._latency = self._requests + _MOST_ROUTES * (_OTHER + 1)
        self._queue = self._latency + _width(_SECONDS)
        self._predict = self._queue + _width(_SECONDS)
        self._rows = self._predict + _width(_SECONDS)
        self._width = self._rows + _width(_ROWS)
        self._workers = workers
        self._parent = os.getpid()
        size = -(-self._width * workers * 8 // _PAGE) * _PAGE
        self._all = memoryview(mmap.mmap(-1, size)).cast("B").cast("d")
        self._status = {status: place for place, status in enumerate(_STATUSES)}
        self.more: Callable[[], List[str]] = list  # lines of an optional part, which has one process
        self.use(0)

    def use(self, slot: int) -> None:
        """Count in this slot from now on; what an earlier worker counted there stays."""
        self._cells = self._all[slot * self._width : (slot + 1) * self._width]
        self._cells[0] = self._cells[1] = self._cells[2] = self._cells[4] = 0.0
        self._cells[3] = float(os.getpid())

    def know(self, routes: Iterable[str]) -> None:
        """The routes whose requests are counted by name, in the same order in every worker."""
        for path in dict.fromkeys(routes):
            if len(self._routes) < _MOST_ROUTES:
                self._routes[path] = len(self._routes)

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        place = self._routes.get(route, 0)
        self._cells[self._requests + place * (_OTHER + 1) + self._status.get(status, _OTHER)] += 1
        self._observe(self._latency, _SECONDS, seconds)

    def waited(self, seconds: float) -> None:
        """A request's rows had waited for the model."""
        self._observe(self._queue, _SECONDS, seconds)

    def called(self, rows: int, seconds: float) -> None:
        """The model was called, with the rows of one request or of several."""
        self._observe(self._predict, _SECONDS, seconds)
        self._observe(self._rows, _ROWS, rows)

    def waiting(self, rows: int) -> None:
        """So many rows more wait or are being answered, fewer where it is negative."""
        self._cells[0] += rows

    def loaded(self, seconds: float) -> None:
        """The model has been loaded."""
        self._cells[1] = seconds

    def ready(self) -> None:
        """The model has answered its warm-up."""
        self._cells[2] = 1.0

    def mark(self, slot: Optional[int] = None) -> None:
        """Show the other processes that this one (or that of another slot) is ready for the next step."""
        cells = self._cells if slot is None else self._all[slot * self._width :]
        cells[4] = 1.0

    def marked(self, slot: int) -> bool:
        """Whether the process of that slot has called `mark`."""
        return bool(self._all[slot * self._width + 4])

    def ended(self, slot: int) -> None:
        """The process of that slot has ended: its process id may soon be another's."""
        self._all[slot * self._width + 3] = 0.0

    def pids(self) -> Set[int]:
        """The processes of the service, the one that the workers were forked of among them."""
        slots = {int(self._all[slot * self._width + 3]) for slot in range(self._workers)}
        return (slots | {self._parent}) - {0}

    def text(self, models: Iterable[str], memory: int) -> bytes:
        """All of it, summed over the workers, in Prometheus' text format 0.0.4.

        `models` are the names of those that are served, `memory` is what all workers take, in bytes.
        """
        slots = [self._all[n * self._width : (n + 1) * self._width] for n in range(self._workers)]
        total: List[float] = [sum(cells) for cells in zip(*slots)]
        lines = [
            *head("mlpack_requests_total", "counter", "Answers, by route and status."),
            *self._request_lines(total),
            *_histogram("mlpack_request_seconds", "From a request's head to its answer.", total, self._latency, _SECONDS),
            *_histogram("mlpack_queue_seconds", "A request's wait for the model.", total, self._queue, _SECONDS),
            *_histogram("mlpack_predict_seconds", "One call of the model.", total, self._predict, _SECONDS),
            *_histogram("mlpack_batch_rows", "Rows in one call of the model.", total, self._rows, _ROWS),
            *_gauge("mlpack_queue_rows", "Rows that wait for the model or are in it.", total[0]),
            *_gauge("mlpack_model_load_seconds", "How long the model took to load.", max(slot[1] for slot in slots)),
            *_gauge("mlpack_ready_workers", "Workers whose model has answered its warm-up.", total[2]),
            *_gauge("process_resident_memory_bytes", _MEMORY, memory),
            *head("mlpack_model_info", "gauge", "Which model this is."),
            *(f'mlpack_model_info{{model="{escaped(model)}"}} 1' for model in dict.fromkeys(models)),
            *self.more(),
        ]  # fmt: skip
        return ("\n".join(lines) + "\n").encode()

    def _request_lines(self, total: Sequence[float]) -> Iterator[str]:
        for route, place in self._routes.items():
            for status, offset in {**{str(one): n for one, n in self._status.items()}, "other": _OTHER}.items():
                count = total[self._requests + place * (_OTHER + 1) + offset]
                if count:
                    yield f'mlpack_requests_total{{route="{escaped(route)}",status="{status}"}} {count:.0f}'

    def _observe(self, start: int, bounds: Tuple[float, ...], value: float) -> None:
        cells = self._cells
        cells[start + bisect_left(bounds, value)] += 1
        cells[start + len(bounds) + 1] += value


def _width(bounds: Sequence[float]) -> int:
    """Cells of a histogram: one a bound, one beyond the last, the sum."""
    return len(bounds) + 2


def head(name: str, kind: str, meaning: str) -> List[str]:
    """The lines before a metric's own: what it means, and of which type it is."""
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


def _gauge(name: str, meaning: str, value: float) -> List[str]:
    return [*head(name, "gauge", meaning), f"{name} {value:g}" if value < 1e6 else f"{name} {value:.0f}"]


def _histogram(name: str, meaning: str, total: Sequence[float], start: int, bounds: Sequence[float]) -> List[str]:
    lines = head(name, "histogram", meaning)
    count = 0.0
    for place, bound in enumerate(bounds):
        count += total[start + place]
        lines.append(f'{name}_bucket{{le="{bound:g}"}} {count:.0f}')
    count += total[start + len(bounds)]
    lines.append(f'{name}_bucket{{le="+Inf"}} {count:.0f}')
    lines.append(f"{name}_sum {total[start + len(bounds) + 1]:.6f}")
    lines.append(f"{name}_count {count:.0f}")
    return lines


def escaped(text: Any) -> str:
    """The text as the value of a label."""
    return str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
