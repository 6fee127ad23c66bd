"""Greedy batching: of all that waits, what the model's next call takes. There is no timer: whoever waits, goes."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from typing import Callable, Deque, Hashable, List, NamedTuple, Tuple

import numpy as np

from .pending import Job
from .predictor import Arrays

_FAILURES = 3  # joined calls that fail ...
_WITHIN_S = 10.0  # ... within this time ...
_PAUSE_S = 60.0  # ... end the joining for this long


class Part(NamedTuple):
    """The rows of a job, from `start` to before `stop`, that one call of the model takes."""

    job: Job
    start: int
    stop: int


class Waiting:
    """The jobs that wait, and whose turn it is. Belongs to the model's thread: nobody else touches it.

    Jobs of one `key` may share a call, up to `max_rows` and `max_bytes`; those without a key are called alone. A job that is
    larger than a call is split. Kinds of job take turns, and so do large and small ones, so that none holds the door.
    """

    def __init__(self, max_rows: int, max_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._clock = clock
        self._small: OrderedDict[Hashable, Deque[Job]] = OrderedDict()
        self._large: Deque[Job] = deque()
        self._large_is_next = False
        self._failures: Deque[float] = deque()
        self._paused_until = 0.0

    def add(self, job: Job) -> None:
        """Wait; a job that failed in company waits once more, to be called alone."""
        if job.key is not None and not job.alone and (job.rows > self._max_rows or job.size > self._max_bytes):
            self._large.append(job)
            return
        lane = self._small.setdefault((job.signature if job.key is None else job.key, job.alone), deque())
        lane.append(job)

    def take(self) -> List[Part]:
        """What the next call takes, without those that were cancelled; empty when nothing waits."""
        turns = (self._from_large, self._from_small) if self._large_is_next else (self._from_small, self._from_large)
        for turn in turns:
            parts = turn()
            if parts:
                self._large_is_next = turn == self._from_small
                return parts
        return []

    def failed(self) -> bool:
        """A call of several jobs failed: True when that was one too many, and joining pauses."""
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
            parts = self._gathered(lane)
            if lane:
                self._small[kind] = lane  # behind the other kinds
            if parts:
                return parts
        return []

    def _gathered(self, lane: Deque[Job]) -> List[Part]:
        """The lane's first job, and those behind it that fit into the same call."""
        parts: List[Part] = []
        rows = size = 0
        while lane:
            job = lane[0]
            if job.gone:  # the client has left, or its time is up
                lane.popleft()
                continue
            if parts and (rows + job.rows > self._max_rows or size + job.size > self._max_bytes):
                break
            parts.append(Part(lane.popleft(), 0, job.rows))
            rows += job.rows
            size += job.size
            if job.key is None or job.alone or (self._paused_until and self._clock() < self._paused_until):
                break
        return parts

    def _from_large(self) -> List[Part]:
        while self._large:
            job = self._large.popleft()
            if job.gone:
                continue
            count = max(1, min(self._max_rows, self._max_bytes * job.rows // max(1, job.size)))
            part = Part(job, job.taken, min(job.rows, job.taken + count))
            job.taken = part.stop
            if job.taken < job.rows:
                self._large.append(job)  # behind the other large ones
            return [part]
        return []


def joined(parts: List[Part]) -> Arrays:
    """The inputs of one call: the parts' rows, one below the other."""
    if len(parts) == 1:
        job, start, stop = parts[0]
        return job.inputs if stop - start == job.rows else _rows(job.inputs, start, stop)
    return {name: np.concatenate([part.job.inputs[name] for part in parts]) for name in parts[0].job.inputs}


def shared_out(outputs: Arrays, parts: List[Part]) -> List[Tuple[Part, Arrays]]:
    """Each part with its own rows of a call's outputs."""
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
