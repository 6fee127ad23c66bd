"""The instances of one revision: started when needed, each with so many requests at a time, stopped when idle or drained."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .conditions import Failure
from .engine import Instance
from .errors import ApiError

PENDING = 120  # seconds a request waits for a free instance


@dataclass(kw_only=True)
class Slot:
    """An instance and the requests that are in it."""

    instance: Instance
    busy: int = 0


class Pool:
    """A revision's instances. `launch` starts one that is ready, or raises Failure; `end` stops one; `most` is the limit here."""

    def __init__(
        self, revision: Any, launch: Callable[[], Instance], end: Callable[[Instance], None], most: int
    ) -> None:
        self._launch, self._end = launch, end
        self.name = str(revision.name).rpartition("/")[2]
        self.least = int(revision.scaling.min_instance_count)
        self.most = max(1, min(most, revision.scaling.max_instance_count or most))
        self.concurrency = int(revision.max_instance_request_concurrency)
        self.timeout = revision.timeout.seconds + revision.timeout.nanos / 1e9
        self._changed = threading.Condition()
        self._slots: list[Slot] = []
        self._starting = 0
        self._wishes = 0  # how often somebody wanted it up: a drain that began before gives way
        self._users = 0  # requests that were routed here and are not over
        self._last_used = time.monotonic()

    def ensure(self) -> None:
        """Have as many instances as must be there, at least one; Failure tells why not."""
        while True:
            with self._changed:
                self._wishes += 1
                self._last_used = time.monotonic()
                if len(self._slots) >= min(max(1, self.least), self.most):
                    return
                self._starting += 1
            self._start()

    def enter(self) -> None:
        """Count a request before it waits for a place, so that a drain waits for it."""
        with self._changed:
            self._users += 1

    def leave(self) -> None:
        """The request is over."""
        with self._changed:
            self._users -= 1
            self._last_used = time.monotonic()
            self._changed.notify_all()

    @contextmanager
    def place(self) -> Iterator[Instance]:
        """A place in an instance that has one free, waiting for it; a new instance is started when all are full."""
        slot = self._take()
        try:
            yield slot.instance
        finally:
            with self._changed:
                slot.busy -= 1
                self._changed.notify_all()

    def drain(self, patience: float) -> None:
        """Let the requests that are here finish, then stop every instance; give way when it is wanted again."""
        with self._changed:
            before = self._wishes
            self._changed.wait_for(lambda: self._users == 0 or self._wishes != before, patience)
            slots = self._taken_away() if self._wishes == before else []
        self._end_all(slots)

    def stop(self) -> None:
        """Stop every instance; a later request starts one again."""
        with self._changed:
            slots = self._taken_away()
        self._end_all(slots)

    def stop_if_idle(self, seconds: float) -> None:
        """Scale to zero, unless some must be there or were asked of late."""
        with self._changed:
            spare = not self._users and not self._starting and not self.least
            slots = self._taken_away() if spare and time.monotonic() - self._last_used > seconds else []
        self._end_all(slots)

    def instances(self) -> list[Instance]:
        """Those that run."""
        with self._changed:
            return [slot.instance for slot in self._slots]

    def _taken_away(self) -> list[Slot]:
        slots, self._slots = self._slots, []
        return slots

    def _end_all(self, slots: list[Slot]) -> None:
        threads = [threading.Thread(target=self._end, args=(slot.instance,)) for slot in slots]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    def _take(self) -> Slot:
        end = time.monotonic() + PENDING
        with self._changed:
            while True:
                free = min(self._slots, key=lambda slot: slot.busy, default=None)
                if free is not None and free.busy < self.concurrency:
                    free.busy += 1
                    return free
                if len(self._slots) + self._starting < self.most:
                    self._starting += 1
                    threading.Thread(target=self._start_quietly, daemon=True, name="scale-out").start()
                if not self._changed.wait(end - time.monotonic()) and time.monotonic() >= end:
                    raise ApiError("RESOURCE_EXHAUSTED", "Rate exceeded.")

    def _start_quietly(self) -> None:
        try:
            self._start()
        except Failure as failure:
            print(f"{self.name}: no further instance: {failure}", flush=True)

    def _start(self) -> None:
        instance = None
        try:
            instance = self._launch()
        finally:
            with self._changed:
                self._starting -= 1
                if instance is not None:
                    self._slots.append(Slot(instance=instance))
                    self._last_used = time.monotonic()
                self._changed.notify_all()
