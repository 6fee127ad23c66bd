"""KServe's V1 contract."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.checks.checklist import FailedCheckError
from mlpack.checks.contracts.base import CheckFunction, Contract, Session, json_of, refused
from mlpack.checks.contracts.subject import Subject


def _checks(subject: Subject) -> Iterator[tuple[str, CheckFunction]]:
    at = f"/v1/models/{subject.path}"
    yield "kserve_list", _list
    yield "kserve_model_ready", _ready
    yield (
        "kserve_predict",
        lambda session: session.record(
            "kserve",
            json_of(session.client.post(f"{at}:predict", {"instances": list(subject.rows)}), keys=("predictions",))[
                "predictions"
            ],
        ),
    )
    yield (
        "kserve_unknown_model",
        lambda session: refused(session.client.get("/v1/models/mlpack-no-such-model"), [404], text="error"),
    )
    yield "kserve_bad_input", lambda session: refused(session.client.post(f"{at}:predict", {"rows": []}), text="error")


CONTRACT = Contract(name="kserve", ready="/v1/models", checks=_checks, needs_name=True)


def _list(session: Session) -> str:
    models = json_of(session.client.get("/v1/models"), keys=("models",))["models"]
    if session.subject.name not in models:
        raise FailedCheckError(f"{session.subject.name} is not in {str(models)[:200]}")
    return str(models)[:80]


def _ready(session: Session) -> str:
    state = json_of(session.client.get(f"/v1/models/{session.subject.path}"), keys=("name", "ready"))
    if state["ready"] not in (True, "True"):  # older versions of KServe return a string
        raise FailedCheckError(f"ready is {state['ready']!r} with status 200")
    return f"{state['name']} ready"
