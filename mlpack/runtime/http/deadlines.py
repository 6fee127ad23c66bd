"""Deadlines of waiting requests: Watches checks all of them together."""

from __future__ import annotations

from collections import deque
from typing import Deque, List, Protocol

_YOUNG_S = 0.05  # most are answered sooner, and only once looked at


class Waiting(Protocol):
    """A request with a deadline; `began` is a time of the performance counter."""

    answered: bool
    began: float

    def expire(self) -> None:
        """End it: its deadline has passed."""


class Watches:
    """All requests that have had to wait, the oldest first; a timer for each would cost each of them.

    Those that take long are kept apart and looked at one by one: an answered one holds its body and its values, and must not
    be remembered because another before it still waits.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._young: Deque[Waiting] = deque()
        self._old: List[Waiting] = []

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._young) + len(self._old)

    def add(self, exchange: Waiting) -> None:
        """It waits, from now on."""
        self._young.append(exchange)

    def look(self, now: float) -> None:
        """Forget the answered ones, and end those whose time is up."""
        young, late = self._young, now - self._deadline_s
        while young and (young[0].answered or young[0].began <= now - _YOUNG_S):
            exchange = young.popleft()
            if not exchange.answered:
                self._old.append(exchange)
        waiting = [one for one in self._old if not one.answered]
        self._old = [one for one in waiting if one.began > late]
        for exchange in waiting:
            if exchange.began <= late:
                exchange.expire()
