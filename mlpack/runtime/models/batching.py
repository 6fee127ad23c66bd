"""Adaptive batching: BatchingPredictor runs a model in a thread of its own, for as many waiting calls at once as fit."""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from contextlib import suppress
from typing import Callable, List, Optional

from ..card import Signature
from ..errors import BadInputError, ModelFailedError, NotReadyError, QueueFullError, ServeError
from ..settings import Settings
from ..telemetry.logs import Log
from ..telemetry.metrics import Metrics
from .batch_queue import BatchQueue, Part, joined, split
from .loaded import LoadedModel, Warmups, cause_of
from .pending import Outcome, PendingCall, resolve
from .predictor import Arrays, Call

_STOPPED = "the model is being stopped"
_QUEUE_BYTES = 256 * 2**20  # of values that wait


class BatchingPredictor:
    """A predictor over a model that is loaded and run by one thread, so that the event loop never waits for the model.

    The queue is bounded in rows and bytes. A cancelled call leaves it.
    """

    needs_task = False

    def __init__(self, model: LoadedModel, settings: Settings, log: Log, metrics: Metrics) -> None:
        self._model = model
        self._log = log
        self._metrics = metrics
        self._queue_rows = settings.queue_rows
        self._joins = {one: _may_join(one, str(settings.batch.mode)) for one in model.card.signatures}
        self._rows = 0
        self._bytes = 0
        self._arrived: queue.SimpleQueue[List[PendingCall]] = queue.SimpleQueue()
        self._collected: List[PendingCall] = []
        self._queue = BatchQueue(settings.batch.max_rows, settings.batch.max_size)
        self._stopping = False
        self._thread: Optional[threading.Thread] = None

    def start(self, warmups: Warmups, on_failure: Callable[[], None]) -> None:
        """Begin to load the model; `on_failure` is called, in the model's thread, when it cannot be loaded."""
        self._thread = threading.Thread(target=self._run, args=(warmups, on_failure), name="mlpack-model", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Stop the thread, and fail the calls that wait; False when the model is still busy after `timeout_s`."""
        self._stopping = True
        self._arrived.put([])
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    async def predict(self, call: Call) -> Arrays:
        """The model's outputs; raises QueueFullError, BadInputError, ModelFailedError, NotReadyError after `stop`."""
        if self._stopping:
            raise NotReadyError(_STOPPED)
        loop = asyncio.get_running_loop()
        pending = PendingCall(call, loop, join=self._joins[call.signature])
        if self._rows and (self._rows + pending.rows > self._queue_rows or self._bytes + pending.size > _QUEUE_BYTES):
            raise QueueFullError(f"{self._rows} rows are waiting; try again in a moment")
        self._rows += pending.rows
        self._metrics.waiting(pending.rows)
        self._bytes += pending.size
        if not self._collected:
            loop.call_soon(self._hand_over)
        self._collected.append(pending)
        try:
            return await pending.future
        finally:
            self._rows -= pending.rows
            self._metrics.waiting(-pending.rows)
            self._bytes -= pending.size
            timings = call.timings
            if timings.began:
                self._metrics.waited(timings.began - timings.arrived)

    def _hand_over(self) -> None:
        """Give the thread all that the event loop has read in one round; else it would begin with the first call alone."""
        collected, self._collected = self._collected, []
        self._arrived.put(collected)

    def _run(self, warmups: Warmups, on_failure: Callable[[], None]) -> None:
        """The thread: load the model, then run it for what waits."""
        if not self._model.load(warmups, on_failure):
            return
        while not self._stopping:
            self._receive()
            parts = self._queue.take()
            if parts:
                self._predict(parts)
            else:
                self._add(self._arrived.get())
        self._receive()
        while parts := self._queue.take():
            self._resolve([(part.pending, None, NotReadyError(_STOPPED)) for part in parts])

    def _receive(self) -> None:
        """Queue all that has arrived, without waiting for more."""
        with suppress(queue.Empty):
            while True:
                self._add(self._arrived.get_nowait())

    def _add(self, calls: List[PendingCall]) -> None:
        for pending in calls:
            self._queue.add(pending)

    def _predict(self, parts: List[Part]) -> None:
        """Run the model for the parts, and give each call its rows of the outputs."""
        began = time.perf_counter()
        outcomes: List[Outcome] = []
        rows = sum([part.stop - part.start for part in parts])
        try:
            outputs = self._model.run(parts[0].pending.call.signature, joined(parts))
            self._metrics.called(rows, time.perf_counter() - began)
            for part, piece in split(outputs, parts):
                part.pending.ran(began, rows)
                whole = part.pending.whole(piece, part.stop)
                if whole is not None:
                    outcomes.append((part.pending, whole, None))
        except ServeError as error:
            self._failed(parts, error, began)
        except BaseException as error:  # noqa: BLE001 - too little memory to join arrays; the thread must go on
            failure = ModelFailedError("the model failed on this request; the log has the trace")
            failure.__cause__ = error
            self._failed(parts, failure, began)
        else:
            self._resolve(outcomes)

    def _failed(self, parts: List[Part], error: ServeError, began: float) -> None:
        """Fail a call that ran alone; queue calls that ran together once more, each to run alone."""
        if len(parts) == 1:
            pending = parts[0].pending
            pending.ran(began, pending.rows)
            pending.failed = True
            self._resolve([(pending, None, error)])
            return
        for part in parts:
            part.pending.alone = True
            self._queue.add(part.pending)
        # values that the model cannot take are the fault of one client, and no reason to slow down the others
        if not isinstance(error, BadInputError) and self._queue.joined_run_failed():
            message = "calls for joined requests keep failing: for a minute each request is a call of its own"
            self._log.write("warning", message, model=self._model.card.name, cause=cause_of(error))

    def _resolve(self, outcomes: List[Outcome]) -> None:
        if not outcomes:
            return
        try:
            outcomes[0][0].loop.call_soon_threadsafe(resolve, outcomes)
        except RuntimeError:  # the event loop has ended
            self._stopping = True


def _may_join(signature: Signature, mode: str) -> bool:
    """Whether requests may share a run: where the card says that rows do not depend on each other, or the user insists."""
    return signature.batch == "any" and (mode == "on" or (mode == "auto" and signature.batchable))
