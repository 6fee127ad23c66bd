"""SageMaker's container contract: the argument `serve`, /ping and /invocations."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator

from mlpack.checks.checklist import FailedCheckError
from mlpack.checks.contracts.base import CheckFunction, Contract, Session, json_of, refused, success
from mlpack.checks.contracts.subject import Subject

_LABEL = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port"


def _checks(subject: Subject) -> Iterator[tuple[str, CheckFunction]]:
    if subject.labels is not None:
        yield "sagemaker_label", _label
    yield "sagemaker_ping", _ping
    yield "sagemaker_json", _json
    if subject.flat:
        if _fits_csv(subject):
            yield "sagemaker_csv", lambda session: _lines(session, "text/csv", _csv(subject))
        lines = "\n".join(json.dumps(row) for row in subject.rows)
        yield "sagemaker_jsonlines", lambda session: _lines(session, "application/jsonlines", lines)
    yield (
        "sagemaker_unknown_type",
        lambda session: refused(
            session.client.post_raw("/invocations", b"x", content_type="application/x-mlpack-nothing")
        ),
    )
    yield "sagemaker_bad_json", lambda session: refused(session.client.post_raw("/invocations", b"{"))


CONTRACT = Contract(
    name="sagemaker",
    ready="/ping",
    checks=_checks,
    env={"SAGEMAKER_BIND_TO_PORT": "{port}"},
    arguments=("serve",),
    own_port=True,
    grace_s=30,
)


def _label(session: Session) -> str:
    value = (session.subject.labels or {}).get(_LABEL)
    if value != "true":
        raise FailedCheckError(f"the image has no label {_LABEL}=true, so SageMaker cannot choose its port")
    return f"{_LABEL}=true"


def _ping(session: Session) -> str:
    began = time.perf_counter()
    success(session.client.get("/ping"))
    seconds = time.perf_counter() - began
    if seconds > 2:
        raise FailedCheckError(f"it took {seconds:.1f} s; SageMaker waits 2 s")
    return f"200 after {seconds * 1000:.0f} ms"


def _json(session: Session) -> str:
    answer = json_of(session.client.post("/invocations", {"instances": list(session.subject.rows)}))
    if isinstance(answer, dict) and "predictions" in answer:
        return session.record("sagemaker", answer["predictions"])
    return str(answer)[:80]


def _fits_csv(subject: Subject) -> bool:
    """Whether CSV can express every cell: an empty text means a missing value, and not every reader accepts NUL."""
    return not any(cell == "" or (isinstance(cell, str) and "\0" in cell) for row in subject.flat for cell in row)


def _csv(subject: Subject) -> str:
    text = io.StringIO(newline="")
    cells = [["" if cell is None else cell if isinstance(cell, str) else json.dumps(cell) for cell in row]
             for row in subject.flat]  # fmt: skip
    csv.writer(text, lineterminator="\n").writerows(cells)
    return text.getvalue()


def _lines(session: Session, kind: str, text: str) -> str:
    """Send rows in a media type that the container need not support: it may answer 415."""
    answer = session.client.post_raw("/invocations", text.encode(), content_type=kind)
    return "415: not supported" if answer.status == 415 else success(answer).text[:80]
