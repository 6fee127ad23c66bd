"""Conditions: what Ready is made of, reset when reconciling starts, settled when it ends."""

from __future__ import annotations

from typing import Any

from .messages import RUN, Condition

State = RUN.Condition.State
PARTS = ("ConfigurationsReady", "RoutesReady")
REVISION_PARTS = ("Active", "ContainerHealthy", "ContainerReady", "ResourcesAvailable")


def begin(service: Any) -> None:
    """A change was accepted: nothing of the last one's outcome is left standing."""
    service.reconciling = True
    service.terminal_condition.CopyFrom(_condition("Ready", State.CONDITION_RECONCILING))
    del service.conditions[:]
    service.conditions.extend(_condition(name, State.CONDITION_PENDING) for name in PARTS)


def settle(service: Any, failure: Failure | None, failed_part: str = "ConfigurationsReady") -> None:
    """The change has come to its end, the bad one too: it was observed."""
    service.reconciling = False
    service.observed_generation = service.generation
    service.terminal_condition.CopyFrom(_settled("Ready", failure))
    del service.conditions[:]
    service.conditions.extend(_settled(name, failure if name == failed_part else None) for name in PARTS)


def begin_revision(revision: Any) -> None:
    """A revision that is being started."""
    revision.reconciling = True
    del revision.conditions[:]
    revision.conditions.extend(_condition(name, State.CONDITION_RECONCILING) for name in ("Ready", *REVISION_PARTS))


def settle_revision(revision: Any, failure: Failure | None) -> None:
    """A revision that started, or did not."""
    revision.reconciling = False
    revision.observed_generation = revision.generation
    failing = {"Ready", failure.part} if failure else set()
    del revision.conditions[:]
    revision.conditions.extend(
        _settled(name, failure if name in failing else None) for name in ("Ready", *REVISION_PARTS)
    )


class Failure(Exception):  # noqa: N818  # what came to pass, not what went wrong in a call
    """Why a revision does not serve: the text, the reason by its field and name, the code of the operation's error."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "HEALTH_CHECK_CONTAINER_ERROR",
        code: str = "FAILED_PRECONDITION",
        part: str = "ContainerHealthy",
    ) -> None:
        super().__init__(message)
        self.message, self.reason, self.code, self.part = message, reason, code, part


def _settled(name: str, failure: Failure | None) -> Any:
    if failure is None:
        return _condition(name, State.CONDITION_SUCCEEDED)
    condition = _condition(name, State.CONDITION_FAILED)
    condition.message = failure.message
    condition.severity = RUN.Condition.Severity.ERROR.value
    if failure.reason in RUN.Condition.RevisionReason.__members__:
        condition.revision_reason = RUN.Condition.RevisionReason[failure.reason].value
    else:
        condition.reason = RUN.Condition.CommonReason[failure.reason].value
    return condition


def _condition(name: str, state: Any) -> Any:
    condition = Condition(type_=name, state=state.value)
    condition.last_transition_time.GetCurrentTime()
    return condition
