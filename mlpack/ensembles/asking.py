"""Requests to the members of an ensemble as the coordinator sends them, but in JSON: for the checks of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlpack.checks.checklist import FailedCheckError
from mlpack.checks.client import Client


def ask_member(
    client: Client, planned: Mapping[str, Any], signature: Mapping[str, Any], rows: Sequence[Any]
) -> dict[str, list[Any]]:
    """The member's outputs for rows of the ensemble, by the names of its queries.

    `planned` is the member's part of the plan, `signature` the ensemble's. Raises FailedCheckError, Unanswered.
    """
    values = [_values(signature, row) for row in rows]
    send = _ask_v1 if planned["contract"] == "v1" else _ask_v2
    return {
        name: _probabilities(query, send(client, planned, query, values)) for name, query in planned["queries"].items()
    }


def _probabilities(query: Mapping[str, Any], rows: list[Any]) -> list[Any]:
    """The rows; of a member that gives only the probability of the second of two classes, both."""
    if not query.get("second"):
        return rows
    return [[1 - value, value] for value in (row[0] if isinstance(row, list) else row for row in rows)]


def _values(signature: Mapping[str, Any], row: Any) -> list[Any]:
    """The values of a row in the order of the ensemble's inputs."""
    if signature["layout"] == "tensors" and len(signature["inputs"]) == 1:
        return [row]
    names = [spec["name"] for spec in signature["inputs"]]
    if signature["layout"] == "matrix":
        names = list(signature.get("columns") or [])
    return [row[name] for name in names] if isinstance(row, Mapping) else list(row)


def _ask_v2(client: Client, planned: Mapping[str, Any], query: Mapping[str, Any], rows: list[list[Any]]) -> list[Any]:
    specs, rows = query["inputs"], _ordered(query, rows)
    matrix = len(specs) == 1 and len(specs[0]["shape"]) == 2 and not isinstance(rows[0][0], list)
    columns = [rows] if matrix else [list(column) for column in zip(*rows, strict=True)]
    document: dict[str, Any] = {
        "inputs": [
            {"name": spec["name"], "datatype": spec["dtype"], "shape": _shape(data), "data": data}
            for spec, data in zip(specs, columns, strict=True)
        ],
        **({"parameters": {"method": query["method"]}} if query["method"] else {}),
    }
    answer = _post(client, planned, "/infer", document)
    outputs = answer.get("outputs") or [] if isinstance(answer, dict) else []
    found = [one for one in outputs if query["output"] in ("", one.get("name"))]
    if not found:
        raise FailedCheckError(f"the member {planned['name']} has no output {query['output']} in its answer")
    return _nested(found[0]["data"], found[0]["shape"])


def _ask_v1(client: Client, planned: Mapping[str, Any], query: Mapping[str, Any], rows: list[list[Any]]) -> list[Any]:
    names, rows = [spec["name"] for spec in query["inputs"]], _ordered(query, rows)
    one = len(names) == 1
    matrix = one and len(query["inputs"][0]["shape"]) == 2 and not isinstance(rows[0][0], list)
    instances = (
        rows if matrix else [row[0] for row in rows] if one else [dict(zip(names, row, strict=True)) for row in rows]
    )
    body = {"instances": instances, **({"signature_name": query["method"]} if query["method"] else {})}
    answer = _post(client, planned, ":predict", body)
    predictions = answer.get("predictions") if isinstance(answer, dict) else None
    if not isinstance(predictions, list) or len(predictions) != len(rows):
        raise FailedCheckError(f"the member {planned['name']} has no predictions in its answer")
    return [row[query["output"]] if isinstance(row, dict) else row for row in predictions]


def _ordered(query: Mapping[str, Any], rows: list[list[Any]]) -> list[list[Any]]:
    """The values of each row in the member's order."""
    order = query.get("order") or []
    return [[row[place] for place in order] for row in rows] if order else rows


def _post(client: Client, planned: Mapping[str, Any], verb: str, body: Any) -> Any:
    version = f"/versions/{planned['version']}" if planned["version"] else ""
    answer = client.post(f"/{planned['contract']}/models/{planned['model']}{version}{verb}", body)
    if answer.status != 200:
        raise FailedCheckError(f"the member {planned['name']} answers {answer.status} {answer.text[:300]}")
    try:
        return answer.json()
    except ValueError:
        raise FailedCheckError(f"the answer of the member {planned['name']} is not JSON") from None


def _shape(data: Any) -> list[int]:
    return [len(data), *_shape(data[0])] if isinstance(data, list) else []


def _nested(data: Any, shape: Sequence[int]) -> list[Any]:
    """The values of a tensor as nested lists, whether they are flat or nested already."""
    flat = list(_flat(data))
    for size in reversed(shape[1:]):
        flat = [flat[start : start + size] for start in range(0, len(flat), size)]
    return flat


def _flat(data: Any) -> Any:
    for one in data:
        if isinstance(one, list):
            yield from _flat(one)
        else:
            yield one
