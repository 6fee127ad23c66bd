"""Requests that wait are watched: is their time up? Watches looks after all of them together."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Deque

if TYPE_CHECKING:
    from .exchange import Exchange

_YOUNG_S = 0.05  # most are answered sooner, and only once looked at


class Watches:
    """All requests that have had to wait, the oldest first; a timer for each would cost each of them.

    Those that take long are kept apart, so that one of them does not keep all that came after it from being forgotten.
    """

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._young: Deque[Exchange] = deque()
        self._old: Deque[Exchange] = deque()

    def add(self, exchange: Exchange) -> None:
        """It waits, from now on."""
        self._young.append(exchange)

    def look(self, now: float) -> None:
        """Forget the answered ones, and end those whose time is up."""
        young, old = self._young, self._old
        while young and (young[0].answered or young[0].began <= now - _YOUNG_S):
            exchange = young.popleft()
            if not exchange.answered:
                old.append(exchange)
        while old and (old[0].answered or old[0].began <= now - self._deadline_s):
            exchange = old.popleft()
            if not exchange.answered:
                exchange.expire()
