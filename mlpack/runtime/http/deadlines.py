"""Deadlines of waiting requests: Deadlines checks all of them together, as a timer for each would cost each of them."""

from __future__ import annotations

from collections import deque
from typing import Deque, List, Protocol

_YOUNG_S = 0.05  # most requests are answered sooner, and so are checked once at most


class Timed(Protocol):
    """A request with a deadline; `began` and `deadline` are by `time.perf_counter`."""

    answered: bool
    began: float
    deadline: float

    def expire(self) -> None:
        """End it: its deadline has passed."""


class Deadlines:
    """All requests that have had to wait, the oldest first.

    Those that take long are kept apart and checked one by one: an answered request holds its body and its values, and must not
    be kept because one before it still waits.
    """

    def __init__(self) -> None:
        self._young: Deque[Timed] = deque()
        self._old: List[Timed] = []

    def __len__(self) -> int:
        """How many requests are kept."""
        return len(self._young) + len(self._old)

    def add(self, exchange: Timed) -> None:
        """Keep a request until it is answered or its deadline has passed."""
        self._young.append(exchange)

    def check(self, now: float) -> None:
        """Drop the answered requests, and end those whose deadline has passed."""
        young = self._young
        while young and (young[0].answered or young[0].began <= now - _YOUNG_S):
            exchange = young.popleft()
            if not exchange.answered:
                self._old.append(exchange)
        waiting = [one for one in self._old if not one.answered]
        self._old = [one for one in waiting if one.deadline > now]
        for exchange in waiting:
            if exchange.deadline <= now:
                exchange.expire()
