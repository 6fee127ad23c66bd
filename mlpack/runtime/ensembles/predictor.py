"""EnsemblePredictor: the predictor of a coordinator. Rows that wait are joined before the members are called."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Dict, List, Optional, Set

from ..card import Card
from ..errors import DeadlineError, NotReadyError, QueueFullError, RequestError, ServeError
from ..models.batch_queue import BatchQueue, Part, joined, split
from ..models.pending import PendingCall
from ..models.predictor import Arrays, Call
from ..settings import Settings
from ..telemetry.metrics import Metrics
from .fan_out import FanOut, Reduced
from .member_calls import CallContext, MemberCall
from .member_metrics import MemberMetrics

_QUEUE_BYTES = 256 * 2**20  # of values that wait
_AT_ONCE = 2  # fan-outs that begin without waiting for others
_MOST_AT_ONCE = 64
_WAIT_S = 0.001  # for a running fan-out to end, before another begins beside it ...
_SPACING_S = 0.003  # ... and from the beginning of the last one


class EnsemblePredictor:
    """Joins waiting calls, and gives each its rows of the answer.

    Two fan-outs begin at once. While they run, calls wait and go together with the next, which begins when one has ended, or
    after 1 ms if the last one began 3 ms ago. So under load few requests reach the members, and a slow member delays no call
    that does not need it by more than 3 ms. The queue is bounded in rows and bytes.
    """

    needs_task = False

    def __init__(
        self, card: Card, fan_out: FanOut, settings: Settings, metrics: Metrics, member_metrics: MemberMetrics
    ) -> None:
        self._fan_out = fan_out
        self._metrics = metrics
        self._member_metrics = member_metrics
        self._queue_rows = settings.queue_rows
        mode = str(settings.batch.mode)
        # A cascade asks the next member for the rows of one call only: others would wait for them.
        joins = not fan_out.cascades and mode in ("on", "auto")
        self._joins = {one: joins and (mode == "on" or one.batchable) for one in card.signatures}
        # Fan-outs run beside each other, so a call is never split: its parts could end in another order.
        self._most_rows, self._most_bytes = settings.batch.max_rows, settings.batch.max_size
        self._queue = BatchQueue(self._most_rows, self._most_bytes)
        self._rows = 0
        self._bytes = 0
        self._running: Set[asyncio.Task[None]] = set()
        self._contexts: Dict[PendingCall, CallContext] = {}  # of the calls in running fan-outs
        self._collecting = False
        self._timer: Optional[asyncio.TimerHandle] = None
        self._last = 0.0  # when the last fan-out began, by the event loop's time
        self._waiting = 0  # calls in the queue
        self._stopping = False

    async def predict(self, call: Call) -> Arrays:
        """The ensemble's outputs; raises QueueFullError, RequestError, MemberFailedError, MemberLateError, NoMemberError."""
        if self._stopping:
            raise NotReadyError("the ensemble is being stopped")
        loop = asyncio.get_running_loop()
        pending = PendingCall(call, loop, join=self._joins[call.signature])
        pending.alone = pending.rows > self._most_rows or pending.size > self._most_bytes
        if self._rows and (self._rows + pending.rows > self._queue_rows or self._bytes + pending.size > _QUEUE_BYTES):
            raise QueueFullError(f"{self._rows} rows are waiting; try again in a moment")
        self._count(pending, 1)
        self._queue.add(pending)
        self._waiting += 1
        if not self._collecting:  # what the event loop reads in one round goes together
            self._collecting = True
            loop.call_soon(self._begin)
        try:
            return await pending.future
        except DeadlineError:
            if pending.future.done() and not pending.future.cancelled():
                return pending.future.result()  # it came at the same moment
            context = self._contexts.get(pending)
            late = None if context is None else self._fan_out.late(context)
            if late is None:
                raise
            raise late from None
        finally:
            self._count(pending, -1)
            if call.timings.began:
                self._metrics.waited(call.timings.began - call.timings.arrived)

    def stop(self) -> None:
        """Cancel what runs, and take no more calls."""
        self._stopping = True
        for task in self._running:
            task.cancel()

    def _count(self, pending: PendingCall, sign: int) -> None:
        self._rows += sign * pending.rows
        self._metrics.waiting(sign * pending.rows)
        self._bytes += sign * pending.size

    def _begin(self, *, late: bool = False) -> None:
        """Begin fan-outs for what waits, as many as may run now; `late` is for calls that have waited long enough."""
        self._collecting = False
        loop = asyncio.get_running_loop()
        if late:
            self._timer = None
        allowed = _MOST_AT_ONCE if late else _AT_ONCE
        while self._waiting and len(self._running) < allowed:
            parts = self._queue.take()
            self._waiting = 0 if not parts else self._waiting - len(parts)
            if not parts:
                return
            self._last = loop.time()
            task = asyncio.ensure_future(self._run(parts))
            self._running.add(task)
            task.add_done_callback(self._ended)
        if self._waiting and self._timer is None and len(self._running) < _MOST_AT_ONCE:
            self._timer = loop.call_at(max(loop.time() + _WAIT_S, self._last + _SPACING_S), self._begin_late)

    def _begin_late(self) -> None:
        self._begin(late=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._begin()

    async def _run(self, parts: List[Part]) -> None:
        """One fan-out for the parts; it is cancelled once no call needs it any more."""
        watched = _Watch(asyncio.current_task(), [part.pending for part in parts])
        began = time.perf_counter()
        first = parts[0].pending.call
        rows = sum(part.stop - part.start for part in parts)
        deadlines = [part.pending.call.deadline for part in parts]
        context = CallContext(max(deadlines), first.trace, first.request_id, min(deadlines))
        self._contexts.update((part.pending, context) for part in parts)
        try:
            reduced = await self._fan_out.run(first.signature.method, joined(parts), rows, context)
        except ServeError as error:
            self._failed(parts, error, began)
        except asyncio.CancelledError:
            self._failed(parts, NotReadyError("the ensemble is being stopped"), began)
        except Exception as error:  # noqa: BLE001 - whatever it was, the calls get their failure
            failure = ServeError("the ensemble failed on this request; the log has the trace")
            failure.__cause__ = error
            self._failed(parts, failure, began)
        else:
            self._metrics.called(rows, time.perf_counter() - began)
            self._member_metrics.partial += len(parts) if reduced.missing else 0
            self._answer(parts, reduced, began, rows)
        finally:
            watched.end()
            for part in parts:
                self._contexts.pop(part.pending, None)

    def _answer(self, parts: List[Part], reduced: Reduced, began: float, rows: int) -> None:
        place = 0
        for part, piece in split(reduced.outputs, parts):
            pending, stop = part.pending, place + part.stop - part.start
            pending.ran(began, rows)
            _add_details(pending.call, reduced, place, stop)
            place = stop
            whole = pending.whole(piece, part.stop)
            if whole is None:
                self._waiting += 1  # the queue has kept the rest of its rows
            elif not pending.future.done():
                pending.future.set_result(whole)

    def _failed(self, parts: List[Part], error: ServeError, began: float) -> None:
        """Fail the calls; those that ran together while a member refused a row are queued again, each to run alone."""
        again = len(parts) > 1 and isinstance(error, RequestError)
        for part in parts:
            pending = part.pending
            if again:
                pending.alone = True
                self._queue.add(pending)
                self._waiting += 1
                continue
            pending.ran(began, pending.rows)
            pending.failed = True
            if not pending.future.done():
                pending.future.set_exception(error)


class _Watch:
    """Cancels a task when the futures of all its calls are done before it: their clients are gone, or their time is over."""

    def __init__(self, task: Optional[asyncio.Task[Any]], calls: List[PendingCall]) -> None:
        self._task = task
        self._calls = calls
        self._left = len(calls)
        for pending in calls:
            pending.future.add_done_callback(self._done)

    def end(self) -> None:
        """The task is over."""
        self._task = None
        for pending in self._calls:
            pending.future.remove_done_callback(self._done)

    def _done(self, _future: asyncio.Future[Arrays]) -> None:
        self._left -= 1
        if self._left <= 0 and self._task is not None:
            self._task.cancel()


def _add_details(call: Call, reduced: Reduced, start: int, stop: int) -> None:
    """What the answer says beside its outputs: who is missing, and with `explain` what each member answered."""
    if not reduced.missing and not call.explain:
        return
    details: Dict[str, Any] = call.details or {}
    if reduced.missing:
        details["partial"] = True
        details["missing"] = sorted({*details.get("missing", ()), *reduced.missing})
    if call.explain:
        details["members"] = [_explained(one, start, stop) for one in reduced.calls]
    call.details = details


def _explained(call: MemberCall, start: int, stop: int) -> Dict[str, Any]:
    """A member's part of the answer for the rows of one call; of a cascade's later members with the numbers of its rows."""
    found: Dict[str, Any] = {"member": call.member, "seconds": round(call.seconds, 6), "attempts": call.attempts}
    if call.error is not None:
        found["error"] = {"kind": call.error.kind, "message": call.error.reason}
    elif call.outputs is not None:
        chosen: Any = slice(start, stop)
        if call.places is not None:
            chosen = (call.places >= start) & (call.places < stop)
            found["rows"] = (call.places[chosen] - start).tolist()
        found["outputs"] = {name: array[chosen].tolist() for name, array in call.outputs.items()}
    return found
