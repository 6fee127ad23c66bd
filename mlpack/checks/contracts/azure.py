"""Azure ML's online endpoints with a custom container, with the routes that mlpack's documentation recommends."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.checks.contracts.base import CheckFunction, Contract, Session, json_of, refused, success
from mlpack.checks.contracts.subject import Subject


def _checks(subject: Subject) -> Iterator[tuple[str, CheckFunction]]:
    yield "azure_live", lambda session: f"{success(session.client.get('/livez')).status}"
    yield "azure_ready", lambda session: f"{success(session.client.get('/ready')).status}"
    yield "azure_data", lambda session: _score(session, "data")
    if subject.records:
        yield "azure_input_data", lambda session: _score(session, "input_data")
    yield "azure_bad_json", lambda session: refused(session.client.post_raw("/score", b"{"))


CONTRACT = Contract(name="azure", ready="/ready", checks=_checks)


def _score(session: Session, form: str) -> str:
    rows, records = list(session.subject.rows), session.subject.records
    table = {"columns": list(records[0]), "data": [list(record.values()) for record in records]} if records else {}
    answer = json_of(session.client.post("/score", {form: rows if form == "data" else table}))
    return session.record("azure", answer) if isinstance(answer, list) else str(answer)[:80]
