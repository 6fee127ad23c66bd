"""TorchServe's inference API."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.checks.contracts.base import CheckFunction, Contract, json_of, refused, success
from mlpack.checks.contracts.subject import Subject


def _checks(subject: Subject) -> Iterator[tuple[str, CheckFunction]]:
    body = {"instances": list(subject.rows)}
    yield "torchserve_ping", lambda session: f"{success(session.client.get('/ping')).status}"
    yield (
        "torchserve_predictions",
        lambda session: str(json_of(session.client.post(f"/predictions/{subject.path}", body)))[:80],
    )
    yield (
        "torchserve_unknown_model",
        lambda session: refused(session.client.post("/predictions/mlpack-no-such-model", body), [404], text="message"),
    )


CONTRACT = Contract(name="torchserve", ready="/ping", checks=_checks, needs_name=True)
