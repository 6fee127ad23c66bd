"""TensorFlow Serving's REST contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mlpack.checks.checklist import FailedCheckError
from mlpack.checks.contracts.base import CheckFunction, Contract, Session, json_of, refused
from mlpack.checks.contracts.subject import Subject


def _checks(subject: Subject) -> Iterator[tuple[str, CheckFunction]]:
    yield "tfs_status", _status
    yield "tfs_metadata", _metadata
    yield "tfs_predict", lambda session: _predict(session, f"{_at(session)}:predict")
    yield "tfs_inputs", _inputs
    if subject.version:
        yield (
            "tfs_version",
            lambda session: _predict(session, f"{_at(session)}/versions/{subject.version_path}:predict"),
        )
    yield (
        "tfs_unknown_version",
        lambda session: refused(session.client.get(f"{_at(session)}/versions/987654321"), text="error"),
    )
    yield (
        "tfs_unknown_model",
        lambda session: refused(
            session.client.post("/v1/models/mlpack-no-such-model:predict", _body(session)), [404], text="error"
        ),
    )
    yield (
        "tfs_both_keys",
        lambda session: refused(
            session.client.post(f"{_at(session)}:predict", {**_body(session), "inputs": [1]}), [400], text="error"
        ),
    )
    yield (
        "tfs_bad_json",
        lambda session: refused(session.client.post_raw(f"{_at(session)}:predict", b"{"), [400], text="error"),
    )


CONTRACT = Contract(name="tfs", ready="/v1/models", checks=_checks, needs_name=True)


def _at(session: Session) -> str:
    return f"/v1/models/{session.subject.path}"


def _body(session: Session) -> dict[str, Any]:
    if not session.subject.rows:
        raise FailedCheckError(
            "the model's inputs are not known: neither the service's metadata nor --request FILE contains them"
        )
    return {"instances": list(session.subject.rows)}


def _predict(session: Session, path: str) -> str:
    # the media type of the curl commands in TensorFlow Serving's documentation
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = session.client.request("POST", path, json.dumps(_body(session)).encode(), headers)
    return session.record("tfs", json_of(answer, keys=("predictions",))["predictions"])


def _inputs(session: Session) -> str:
    rows = list(_body(session)["instances"])
    names = list(rows[0]) if isinstance(rows[0], dict) else []
    inputs = {name: [row[name] for row in rows] for name in names} if names else rows
    outputs = json_of(session.client.post(f"{_at(session)}:predict", {"inputs": inputs}), keys=("outputs",))["outputs"]
    return str(outputs)[:80]


def _status(session: Session) -> str:
    status = json_of(session.client.get(_at(session)), keys=("model_version_status",))["model_version_status"]
    valid = isinstance(status, list) and all(isinstance(one, dict) for one in status)
    states = [one.get("state") for one in status] if valid else []
    if "AVAILABLE" not in states:
        raise FailedCheckError(f"no version is AVAILABLE: {str(status)[:200]}")
    versions = [str(one.get("version")) for one in status]
    others = [version for version in versions if not (version.isascii() and version.isdigit())]
    if others:
        raise FailedCheckError(f"version {others[0][:60]} is not an integer, which clients of this contract require")
    return ", ".join(f"{version} {state}" for version, state in zip(versions, states, strict=True))


def _metadata(session: Session) -> str:
    found = json_of(session.client.get(f"{_at(session)}/metadata"), keys=("model_spec", "metadata"))
    try:
        names = list(found["metadata"]["signature_def"]["signature_def"])
    except (KeyError, TypeError):
        raise FailedCheckError(f"no signature_def in {str(found)[:200]}") from None
    return ", ".join(names)[:80]
