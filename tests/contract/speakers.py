"""Rows asked through every contract, and what each contract answers brought into one form: a list of predictions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tests.contract.served import Answer, Server

JSON = {"Content-Type": "application/json"}
Speaker = Callable[[Server, Sequence[Mapping[str, Any]]], list[Any]]


def posted(server: Server, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer, which must be a success."""
    answer = server.request("POST", path, body, headers=headers)
    assert answer.status == 200, (path, answer.status, answer.body)
    return answer


def name_of(server: Server) -> str:
    """The model's name, as the card says."""
    return str(server.request("GET", "/").json()["name"])


def columns_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def split_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """As pandas splits a frame, in another order than the model's."""
    names = list(rows[0])[::-1]
    return {"columns": names, "index": list(range(len(rows))), "data": [[row[name] for name in names] for row in rows]}


def own(form: str, body: Callable[[Sequence[Mapping[str, Any]]], Any], path: str = "/predict") -> Speaker:
    return lambda server, rows: list(posted(server, path, {form: body(rows)}).json()["predictions"])


def features(server: Server, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [posted(server, "/predict", {"features": row}).json()["predictions"][0] for row in rows]


def v1_rows(server: Server, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    path = f"/v1/models/{name_of(server)}:predict"
    return list(json.loads(posted(server, path, {"instances": rows}).body)["predictions"])


def v1_columns(server: Server, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    path = f"/v1/models/{name_of(server)}:predict"
    outputs = json.loads(posted(server, path, {"inputs": columns_of(rows)}).body)["outputs"]
    if not isinstance(outputs, dict):
        return list(outputs)
    return [dict(zip(outputs, values, strict=True)) for values in zip(*outputs.values(), strict=True)]


def torchserve(server: Server, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    return own("instances", list, f"/predictions/{name_of(server)}")(server, rows)


def azure(form: str, body: Callable[[Sequence[Mapping[str, Any]]], Any]) -> Speaker:
    return lambda server, rows: list(posted(server, "/score", {form: body(rows)}).json())


def lines(server: Server, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    headers = {"Content-Type": "application/jsonlines", "Accept": "application/jsonlines"}
    answer = posted(server, "/invocations", body, headers)
    assert answer.headers["content-type"] == "application/jsonlines"
    return [json.loads(line) for line in answer.body.splitlines()]


def comma(server: Server, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """With a header, in another order than the model's; the answer as JSON."""
    text = io.StringIO(newline="")
    names = list(rows[0])[::-1]
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([["" if row[name] is None else row[name] for name in names] for row in rows])
    answer = posted(server, "/invocations", text.getvalue().encode(), {"Content-Type": "text/csv"})
    return list(answer.json()["predictions"])


def npy(server: Server, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    """A matrix of numbers, both ways."""
    file = io.BytesIO()
    np.save(file, np.array([list(row.values()) for row in rows], dtype=np.float64))
    headers = {"Content-Type": "application/x-npy", "Accept": "application/x-npy"}
    answer = posted(server, "/invocations", file.getvalue(), headers)
    return list(np.load(io.BytesIO(answer.body), allow_pickle=False).tolist())


# every way that takes records by name; V2 has clients of its own in test_openinference.py
SPEAKERS: dict[str, Speaker] = {
    "own instances": own("instances", list),
    "own columns": own("columns", columns_of),
    "own features": features,
    "tfs instances": v1_rows,
    "tfs inputs": v1_columns,
    "mlflow split": own("dataframe_split", split_of, "/invocations"),
    "mlflow records": own("dataframe_records", list, "/invocations"),
    "mlflow instances": own("instances", list, "/invocations"),
    "mlflow inputs": own("inputs", columns_of, "/invocations"),
    "sagemaker lines": lines,
    "azure data": azure("data", list),
    "azure table": azure("input_data", split_of),
    "torchserve": torchserve,
}
