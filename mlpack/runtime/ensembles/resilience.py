"""What keeps a failing member from harming the others: CircuitBreaker, RetryBudget."""

from __future__ import annotations

import time
from typing import Callable

_FAILURES = 5  # in a row that open the circuit
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_SHARE = 0.1  # retries for each call
_MOST_SAVED = 10.0  # retries that a quiet time may save up

CLOSED, HALF_OPEN, OPEN = "closed", "half_open", "open"


class CircuitBreaker:
    """Stops calls of a member that keeps failing.

    After five failures in a row the circuit is open, and no call is allowed for a pause. Then it is half open: one call, the
    probe, is allowed. Its success closes the circuit; its failure opens it for twice the pause, 30 s at most.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause_s = _FIRST_PAUSE_S
        self._open_until = 0.0
        self._probing = False

    @property
    def state(self) -> str:
        """closed, half_open or open."""
        if self._failures < _FAILURES:
            return CLOSED
        return OPEN if self._clock() < self._open_until else HALF_OPEN

    def allows(self) -> bool:
        """Whether a call may be made now; in a half-open circuit only one caller gets True until that call has ended."""
        state = self.state
        if state == HALF_OPEN and not self._probing:
            self._probing = True
            return True
        return state == CLOSED

    def succeeded(self) -> None:
        """A call was answered, be it with an error that is the client's fault."""
        self._failures = 0
        self._pause_s = _FIRST_PAUSE_S
        self._probing = False

    def failed(self) -> None:
        """A call failed: no answer, a late one, or one that cannot be used."""
        self._failures += 1
        if self._probing:
            self._probing = False
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        if self._failures >= _FAILURES:
            self._open_until = self._clock() + self._pause_s

    def cancelled(self) -> None:
        """A call was given up before it had an answer: it says nothing about the member."""
        self._probing = False


class RetryBudget:
    """Bounds all retries together to a tenth of the calls, so that they never add much to an overload."""

    def __init__(self) -> None:
        self._saved = _MOST_SAVED

    def called(self) -> None:
        """Count a first attempt."""
        self._saved = min(self._saved + _SHARE, _MOST_SAVED)

    def take(self) -> bool:
        """Whether there may be another retry; it is counted if so."""
        if self._saved < 1:
            return False
        self._saved -= 1
        return True
