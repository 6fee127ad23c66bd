"""Vertex AI's custom container contract: its AIP_* variables set the routes and the port."""

from __future__ import annotations

import os
from collections.abc import Iterator

from mlpack.checks.contracts.base import CheckFunction, Contract, json_of, refused, success
from mlpack.checks.contracts.subject import Subject

_ROUTES = {"AIP_HEALTH_ROUTE": "/mlpack/health", "AIP_PREDICT_ROUTE": "/mlpack/predict"}


def _checks(subject: Subject) -> Iterator[tuple[str, CheckFunction]]:
    # a tested image was started with _ROUTES; a running service has those of the user's environment, or the defaults
    health, predict = _ROUTES.values()
    if subject.platform is None:
        health = os.environ.get("AIP_HEALTH_ROUTE", "/health")
        predict = os.environ.get("AIP_PREDICT_ROUTE", "/predict")
    body = {"instances": list(subject.rows)}
    yield "vertex_health", lambda session: f"{success(session.client.get(health)).status} at {health}"
    yield (
        "vertex_predict",
        lambda session: session.record(
            "vertex", json_of(session.client.post(predict, body), keys=("predictions",))["predictions"]
        ),
    )
    yield (
        "vertex_parameters",
        lambda session: str(
            json_of(session.client.post(predict, {**body, "parameters": {}}), keys=("predictions",))["predictions"]
        )[:80],
    )
    yield "vertex_bad_json", lambda session: refused(session.client.post_raw(predict, b"{"))
    yield "vertex_bad_input", lambda session: refused(session.client.post(predict, {"rows": []}))


CONTRACT = Contract(
    name="vertex",
    ready=_ROUTES["AIP_HEALTH_ROUTE"],
    checks=_checks,
    env={"AIP_MODE": "PREDICTION", "AIP_HTTP_PORT": "{port}", "AIP_STORAGE_URI": "", **_ROUTES},
    own_port=True,
)
