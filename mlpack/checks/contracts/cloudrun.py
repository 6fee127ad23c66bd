"""Cloud Run's container contract: linux/amd64, on PORT on every address, ended by SIGTERM within 10 s."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.checks.checklist import BrokenPromiseError
from mlpack.checks.contracts.base import Contract, Promise, Session
from mlpack.checks.contracts.subject import Subject


def _checks(subject: Subject) -> Iterator[tuple[str, Promise]]:
    if subject.platform is not None:
        yield "cloudrun_platform", _platform
    yield "cloudrun_answers", _answers
    yield "cloudrun_many_requests", _many
    # that it listens on PORT was seen at its start, that it ends is seen at its end


CONTRACT = Contract(name="cloudrun", ready="/", checks=_checks, own_port=True, grace_s=10, asks=False, any_answer=True)


def _platform(session: Session) -> str:
    if session.subject.platform != "linux/amd64":
        raise BrokenPromiseError(f"the image is for {session.subject.platform}; Cloud Run runs linux/amd64 only")
    return "linux/amd64"


def _answers(session: Session) -> str:
    answer = session.client.get("/")
    if answer.status >= 500:
        raise BrokenPromiseError(f"GET / answers {answer.status} {answer.text[:200]}")
    return f"GET / answers {answer.status}"


def _many(session: Session) -> str:
    """More than 20 failures in a row end an instance there."""
    statuses = {session.client.get("/").status for _ in range(30)}
    if max(statuses) >= 500:
        raise BrokenPromiseError(f"30 requests were answered {sorted(statuses)}")
    return f"30 requests, answered {sorted(statuses)}"
