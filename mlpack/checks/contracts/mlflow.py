"""MLflow's scoring server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlpack.checks.contracts.base import CheckFunction, Contract, Session, json_of, refused, success
from mlpack.checks.contracts.subject import Subject


def _checks(subject: Subject) -> Iterator[tuple[str, CheckFunction]]:
    yield "mlflow_ping", lambda session: f"{success(session.client.get('/ping')).status}"
    yield "mlflow_health", lambda session: f"{success(session.client.get('/health')).status}"
    yield "mlflow_version", lambda session: success(session.client.get("/version")).text[:80]
    rows = list(subject.rows)
    forms: dict[str, Any] = {}
    if subject.records:
        names = list(subject.records[0])
        data = [[record[name] for name in names] for record in subject.records]
        forms["dataframe_split"] = {"columns": names, "data": data}
        forms["dataframe_records"] = subject.records
        forms["inputs"] = {name: [record[name] for record in subject.records] for name in names}
    else:
        forms["instances"] = forms["inputs"] = rows
    for form, value in forms.items():
        yield f"mlflow_{form}", _check_form(form, value)
    first = next(iter(forms))
    body = {first: forms[first]}
    yield "mlflow_params", lambda session: str(_predictions(session, {**body, "params": {}}))[:80]
    yield "mlflow_two_forms", lambda session: _refused(session, {"instances": rows, "inputs": rows})
    yield "mlflow_no_form", lambda session: _refused(session, {"rows": rows})
    yield (
        "mlflow_content_type",
        lambda session: refused(
            session.client.post_raw("/invocations", b"x", content_type="application/x-mlpack-nothing"), [415]
        ),
    )


CONTRACT = Contract(name="mlflow", ready="/ping", checks=_checks)


def _check_form(form: str, value: Any) -> CheckFunction:
    return lambda session: session.record("mlflow", _predictions(session, {form: value}))


def _predictions(session: Session, body: Any) -> Any:
    return json_of(session.client.post("/invocations", body), keys=("predictions",))["predictions"]


def _refused(session: Session, body: Any) -> str:
    return refused(session.client.post("/invocations", body), [400], text="message")
