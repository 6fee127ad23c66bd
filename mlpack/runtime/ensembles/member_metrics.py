"""What is counted for each member of an ensemble: MemberMetrics."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Callable, Dict, Iterator, List, Sequence

from ..telemetry.metrics import escaped, head

if TYPE_CHECKING:
    from .member_calls import MemberCall

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STATES = {"closed": 0, "half_open": 1, "open": 2}


class _Counts:
    def __init__(self) -> None:
        self.requests = 0
        self.retries = 0
        self.errors: Dict[str, int] = {}
        self.buckets = [0] * (len(_SECONDS) + 1)
        self.seconds = 0.0


class MemberMetrics:
    """Requests, errors by kind, latency, retries and the circuit's state of each member, and the partial answers."""

    def __init__(self, members: Sequence[str], state: Callable[[str], str]) -> None:
        """`state` gives the state of a member's circuit."""
        self.partial = 0
        self._state = state
        self._counts = {name: _Counts() for name in members}

    def answered(self, member: str, call: MemberCall) -> None:
        """A call has its answer."""
        counts = self._counts[member]
        counts.requests += 1
        counts.seconds += call.seconds
        counts.buckets[bisect_left(_SECONDS, call.seconds)] += 1

    def failed(self, member: str, call: MemberCall) -> None:
        """A call has failed."""
        kind = "unknown" if call.error is None else call.error.kind
        errors = self._counts[member].errors
        errors[kind] = errors.get(kind, 0) + 1
        self.answered(member, call)

    def retried(self, member: str) -> None:
        """A call is made once more."""
        self._counts[member].retries += 1

    def lines(self) -> List[str]:
        """All of it in Prometheus' text format."""
        return [
            *self._per_member("mlpack_member_requests_total", "Calls of a member.", lambda one: one.requests),
            *head("mlpack_member_errors_total", "counter", "Failed calls of a member, by kind."),
            *self._errors(),
            *self._per_member("mlpack_member_retries_total", "Repeated calls of a member.", lambda one: one.retries),
            *head("mlpack_member_seconds", "histogram", "A call of a member, with its retries."),
            *self._latencies(),
            *head("mlpack_member_circuit", "gauge", "The circuit of a member: 0 closed, 1 half open, 2 open."),
            *(f"mlpack_member_circuit{_label(name)} {_STATES[self._state(name)]}" for name in self._counts),
            *head("mlpack_partial_answers_total", "counter", "Answers without an optional member."),
            f"mlpack_partial_answers_total {self.partial}",
        ]

    def _per_member(self, name: str, meaning: str, count: Callable[[_Counts], int]) -> Iterator[str]:
        yield from head(name, "counter", meaning)
        for member, counts in self._counts.items():
            yield f"{name}{_label(member)} {count(counts)}"

    def _errors(self) -> Iterator[str]:
        for member, counts in self._counts.items():
            for kind, count in counts.errors.items():
                yield f'mlpack_member_errors_total{{member="{escaped(member)}",kind="{kind}"}} {count}'

    def _latencies(self) -> Iterator[str]:
        for member, counts in self._counts.items():
            total = 0
            for bound, count in zip((*map("{:g}".format, _SECONDS), "+Inf"), counts.buckets):
                total += count
                yield f'mlpack_member_seconds_bucket{{member="{escaped(member)}",le="{bound}"}} {total}'
            yield f"mlpack_member_seconds_sum{_label(member)} {counts.seconds:.6f}"
            yield f"mlpack_member_seconds_count{_label(member)} {total}"


def _label(member: str) -> str:
    return f'{{member="{escaped(member)}"}}'
