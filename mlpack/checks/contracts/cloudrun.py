"""Cloud Run's container contract: linux/amd64, listens on PORT on all addresses, exits within 10 s after SIGTERM."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.checks.checklist import FailedCheckError
from mlpack.checks.contracts.base import CheckFunction, Contract, Session
from mlpack.checks.contracts.subject import Subject


def _checks(subject: Subject) -> Iterator[tuple[str, CheckFunction]]:
    if subject.platform is not None:
        yield "cloudrun_platform", _platform
    yield "cloudrun_answers", _answers
    yield "cloudrun_many_requests", _many
    # the checks `cloudrun_starts` and `cloudrun_sigterm` verify that it listens on PORT and exits


CONTRACT = Contract(
    name="cloudrun", ready="/", checks=_checks, own_port=True, grace_s=10, needs_rows=False, any_answer=True
)


def _platform(session: Session) -> str:
    if session.subject.platform != "linux/amd64":
        raise FailedCheckError(f"the image is for {session.subject.platform}; Cloud Run runs only linux/amd64")
    return "linux/amd64"


def _answers(session: Session) -> str:
    answer = session.client.get("/")
    if answer.status >= 500:
        raise FailedCheckError(f"GET / answers {answer.status} {answer.text[:200]}")
    return f"GET / answers {answer.status}"


def _many(session: Session) -> str:
    """Send many requests: Cloud Run ends an instance after 20 consecutive failures."""
    statuses = {session.client.get("/").status for _ in range(30)}
    if max(statuses) >= 500:
        raise FailedCheckError(f"30 requests got {sorted(statuses)}")
    return f"30 requests got {sorted(statuses)}"
