"""The values of a call of a member: CallContext, MemberCall, MemberError."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Optional, Set

from ..errors import ServeError
from ..models.predictor import Array, Arrays

UNREACHABLE, OVERLOADED, LATE, BAD, OPEN = "unreachable", "overloaded", "late", "bad_response", "circuit_open"
LOST = "connection_lost"  # closed before the response: an idle connection perhaps, or the request ended the member


class MemberError(Exception):
    """A call of a member failed. `kind` is one of the words above; `reason` says what happened, for people."""

    def __init__(self, kind: str, reason: str, retry_after_s: float = 0) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.retry_after_s = retry_after_s

    @property
    def never_started(self) -> bool:
        """Whether the member certainly did not begin the work, so that the call may be repeated."""
        return self.kind in (UNREACHABLE, OVERLOADED)


@dataclass
class CallContext:
    """What belongs to one fan-out: its deadline by `time.perf_counter`, trace context and request id, for every member.

    Of calls that go together, `deadline` is the latest and `soonest` the earliest one, before which an answer without an
    optional member must be possible; trace and id are those of the first. `awaited` are the names of the members whose answers
    it waits for at the moment.
    """

    deadline: float
    trace: str
    request_id: str
    soonest: float = math.inf
    awaited: Set[str] = field(default_factory=set)


@dataclass
class MemberCall:
    """What became of a member's call: outputs or error, seconds and attempts.

    `places` are the numbers of its rows in the fan-out where the member was asked for some of them only.
    """

    member: str
    places: Optional[Array] = None
    outputs: Optional[Arrays] = None
    error: Optional[MemberError] = None
    rejected: Optional[ServeError] = None  # the request itself is wrong, as the member says
    seconds: float = 0.0
    attempts: int = 0
    _began: float = field(default_factory=time.perf_counter)

    def ended(self) -> None:
        """Note the time."""
        self.seconds = time.perf_counter() - self._began
