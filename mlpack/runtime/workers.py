"""Several worker processes on one port: forked, watched, replaced when they die, and stopped together."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
import warnings
from typing import Any, Callable, Dict, List, Mapping, Optional

from .card import Card
from .models.loading import load_model
from .models.start_failure import log_load_failure
from .telemetry.logs import Log
from .telemetry.metrics import Metrics

_LOOK_S = 0.05  # between two looks at the children
_END_S = 9.0  # of the 10 s that platforms give
_QUICK_S = 5.0  # a worker that dies sooner is replaced after a pause
_LONGEST_PAUSE_S = 10.0

# runs one process until it stops: its slot, and whether it has a model or only answers that one is loading
Run = Callable[[int, bool], int]


class Workers:
    """The parent of `count` workers, which share the listener, the counters and, where the loader allows it, the model.

    Until the first worker knows that its model answers, a standby process accepts the connections: it is alive and not ready.
    Workers accept none before the standby has closed its listener, so that readiness never comes and goes.
    """

    def __init__(
        self, card: Card, count: int, run: Run, metrics: Metrics, log: Log, wanted: Callable[[], bool]
    ) -> None:
        self._card = card
        self._count = count
        self._run = run
        self._metrics = metrics
        self._log = log
        self._stop_wanted = wanted
        self._slots: Dict[int, int] = {}  # by process id; the standby's slot is the one after the last
        self._began: Dict[int, float] = {}
        self._due: Dict[int, float] = {}  # slots that wait for a new worker, and since when it may start
        self._pauses: List[float] = [0.0] * count
        self._served = False

    def serve(self, load: Optional[Callable[[], None]]) -> int:
        """Run until the stop is requested; the exit code. `load` loads what the workers share, before they are forked."""
        self._metrics.use(self._count)
        self._fork(self._count)
        if load is not None:
            began = time.perf_counter()
            try:
                load()
            except BaseException as error:  # noqa: BLE001 - a model's code may even call sys.exit
                log_load_failure(self._log, self._card, error)
                return self._end(1)
            self._metrics.loaded(time.perf_counter() - began)
            gc.freeze()  # so that the workers' collectors leave the shared pages alone
        for slot in range(self._count):
            self._due[slot] = 0.0
        while not self._stop_wanted():
            self._start_due()
            code = self._look()
            if code:
                return self._end(code)
            time.sleep(_LOOK_S)
        return self._end(0)

    def _start_due(self) -> None:
        now = time.monotonic()
        for slot in [one for one, when in self._due.items() if when <= now]:
            del self._due[slot]
            self._fork(slot)

    def _look(self) -> int:
        """Look for workers that have ended or begun to serve; an exit code other than 0 when the service cannot go on."""
        if not self._served and any(map(self._metrics.marked, range(self._count))):
            self._served = True
            self._signal([pid for pid, slot in self._slots.items() if slot == self._count])
        while self._slots:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            slot = self._slots.pop(pid, None)
            if slot is None:
                continue  # a process that the model's own code started
            self._metrics.ended(slot)
            if slot == self._count:
                self._metrics.mark(self._count)  # however it ended, it accepts no connections
            else:
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
                if code == 1 and not self._metrics.marked(slot):
                    return 1  # its model cannot be loaded; its own log says why
                self._replace(slot, pid, code)
        return 0

    def _replace(self, slot: int, pid: int, code: int) -> None:
        now = time.monotonic()
        quick = now - self._began.get(pid, now) < _QUICK_S
        self._pauses[slot] = min(_LONGEST_PAUSE_S, self._pauses[slot] * 2 or 0.5) if quick else 0.0
        self._due[slot] = now + self._pauses[slot]
        self._log.write("error", "a worker died and is replaced", worker=slot, exit=code, pause_s=self._pauses[slot])

    def _fork(self, slot: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the log's, which the child makes anew
            pid = os.fork()
        if pid == 0:
            code = 1
            try:
                code = self._run(slot, slot < self._count)
            finally:
                os._exit(code)
        self._slots[pid] = slot
        self._began[pid] = time.monotonic()

    def _signal(self, pids: List[int], number: int = signal.SIGTERM) -> None:
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:  # noqa: PERF203 - it has just ended
                continue

    def _end(self, code: int) -> int:
        """Signal all workers and wait for them; those that do not end in time are killed."""
        self._signal(list(self._slots))
        until = time.monotonic() + _END_S
        while self._slots and time.monotonic() < until:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid:
                self._slots.pop(pid, None)
            else:
                time.sleep(0.01)
        self._signal(list(self._slots), signal.SIGKILL)
        return code


class Preloaded:
    """A loader whose model is in memory already: the parent's pages, shared until a process writes to them."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._model: Any = None
        self.InputError = getattr(loader, "InputError", None) or _NeverError
        self.predict = loader.predict

    def load_for_all(self, card: Card, log: Log) -> None:
        """Load it, in the parent."""
        self._model = load_model(self._loader, card, log)

    def load(self, _path: str, _options: Mapping[str, Any], _guard: Any) -> Any:
        """The model."""
        return self._model


class _NeverError(Exception):
    """Never raised."""


def watch_parent(parent: int, gone: Callable[[], None]) -> None:
    """Call `gone` when this process's parent has ended without stopping it."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        gone()

    threading.Thread(target=look, name="mlpack-parent", daemon=True).start()
