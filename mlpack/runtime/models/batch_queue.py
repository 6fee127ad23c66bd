"""Which calls the model's next run takes: BatchQueue. There is no timer: whatever waits goes with the next run."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import Callable, Deque, Hashable, List, NamedTuple, Tuple

import numpy as np

from .pending import PendingCall
from .predictor import Arrays

_FAILURES = 3  # joined runs that fail ...
_WITHIN_S = 10.0  # ... within this time ...
_PAUSE_S = 60.0  # ... stop the joining for this long


class Part(NamedTuple):
    """The rows of a call, from `start` to before `stop`, that one run of the model takes."""

    pending: PendingCall
    start: int
    stop: int


class BatchQueue:
    """The calls that wait, and which of them are next. Only the model's thread uses it.

    Calls of one `key` may share a run, up to `max_rows` and `max_bytes`; those without a key run alone. A call that is larger
    than a run is split. Kinds of calls take turns, and so do large and small ones, so that none blocks the others.
    """

    def __init__(self, max_rows: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._clock = clock
        self._small: OrderedDict[Hashable, Deque[PendingCall]] = OrderedDict()
        self._large: Deque[PendingCall] = deque()
        self._large_is_next = False
        self._failures: Deque[float] = deque()
        self._paused_until = 0.0

    def add(self, pending: PendingCall) -> None:
        """Queue a call; one whose joined run has failed is queued again, to run alone."""
        key, alone = pending.key, pending.alone
        if key is not None and not alone and (pending.rows > self._max_rows or pending.size > self._max_bytes):
            self._large.append(pending)
            return
        lane = self._small.setdefault((pending.call.signature if key is None else key, alone), deque())
        lane.append(pending)

    def take(self) -> List[Part]:
        """What the next run takes, without calls that were dropped; empty when nothing waits."""
        turns = (self._from_large, self._from_small) if self._large_is_next else (self._from_small, self._from_large)
        for turn in turns:
            parts = turn()
            if parts:
                self._large_is_next = turn == self._from_small
                return parts
        return []

    def joined_run_failed(self) -> bool:
        """Count a failed run of several calls: True when that was one too many, and joining pauses."""
        now = self._clock()
        self._failures.append(now)
        while self._failures[0] < now - _WITHIN_S:
            self._failures.popleft()
        if len(self._failures) < _FAILURES:
            return False
        self._failures.clear()
        self._paused_until = now + _PAUSE_S
        return True

    def _from_small(self) -> List[Part]:
        while self._small:
            kind, lane = self._small.popitem(last=False)
            parts = self._batch(lane)
            if lane:
                self._small[kind] = lane  # behind the other kinds
            if parts:
                return parts
        return []

    def _batch(self, lane: Deque[PendingCall]) -> List[Part]:
        """The lane's first call, and those behind it that fit into the same run."""
        parts: List[Part] = []
        rows = size = 0
        while lane:
            pending = lane[0]
            if pending.dropped:
                lane.popleft()
                continue
            if parts and (rows + pending.rows > self._max_rows or size + pending.size > self._max_bytes):
                break
            parts.append(Part(lane.popleft(), 0, pending.rows))
            rows += pending.rows
            size += pending.size
            if pending.key is None or pending.alone or (self._paused_until and self._clock() < self._paused_until):
                break
        return parts

    def _from_large(self) -> List[Part]:
        while self._large:
            pending = self._large.popleft()
            if pending.dropped:
                continue
            count = max(1, min(self._max_rows, self._max_bytes * pending.rows // max(1, pending.size)))
            part = Part(pending, pending.taken, min(pending.rows, pending.taken + count))
            pending.taken = part.stop
            if pending.taken < pending.rows:
                self._large.append(pending)  # behind the other large ones
            return [part]
        return []


def joined(parts: List[Part]) -> Arrays:
    """The inputs of one run: the parts' rows, one below the other."""
    if len(parts) == 1:
        pending, start, stop = parts[0]
        inputs = pending.call.inputs
        return inputs if stop - start == pending.rows else _rows(inputs, start, stop)
    return {
        name: np.concatenate([part.pending.call.inputs[name] for part in parts])
        for name in parts[0].pending.call.inputs
    }


def split(outputs: Arrays, parts: List[Part]) -> List[Tuple[Part, Arrays]]:
    """Each part with its own rows of a run's outputs."""
    if len(parts) == 1:
        return [(parts[0], outputs)]
    shares: List[Tuple[Part, Arrays]] = []
    begin = 0
    for part in parts:
        end = begin + part.stop - part.start
        shares.append((part, _rows(outputs, begin, end)))
        begin = end
    return shares


def _rows(arrays: Arrays, start: int, stop: int) -> Arrays:
    return {name: array[start:stop] for name, array in arrays.items()}
