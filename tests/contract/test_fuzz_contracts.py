"""No body, however odd, makes any contract's route fail or hang."""

from __future__ import annotations

import http.client
import io
import json
import random
import struct
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from tests.contract import models
from tests.contract.served import PATIENCE_S, Server
from tests.contract.test_fuzz import ODD, mangled

Ask = tuple[str, Any, dict[str, str]]  # path, a body that is answered (bytes, or a JSON value), headers
CHANGES = [
    *ODD,
    "b64",
    {"b64": "YQ=="},
    {"b64": "/w=="},
    "FP64",
    "INT64",
    "BYTES",
    "BOOL",
    [2**40],
    [1, 1],
    10**30,
    "input",
]


def asks_of(rows: list[dict[str, Any]], tensors: list[tuple[str, str, Any]]) -> list[Ask]:
    """A good request to every route that takes one."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    split = {"columns": list(columns), "index": [0], "data": [list(row.values()) for row in rows]}
    v2 = [
        {"name": name, "shape": list(np.shape(data)), "datatype": dtype, "data": data} for name, dtype, data in tensors
    ]
    json_bodies: list[tuple[str, Any]] = [
        ("/predict", {"columns": columns, "parameters": {"method": None}}),
        ("/v1/models/test:predict", {"instances": rows}),
        ("/v1/models/test:predict", {"inputs": columns, "signature_name": ""}),
        ("/invocations", {"dataframe_split": split, "params": {}}),
        ("/invocations", {"dataframe_records": rows}),
        ("/score", {"input_data": split}),
        ("/score", {"data": rows}),
        ("/predictions/test", {"instances": rows}),
        ("/v2/models/test/infer", {"id": "1", "inputs": v2, "parameters": {}, "outputs": None}),
    ]
    text = ",".join(columns) + "\n" + ",".join(str(value) for value in rows[0].values()) + "\n"
    lines = "\n".join(json.dumps(row) for row in rows)
    file = io.BytesIO()
    np.save(file, np.ones((2, len(columns))))
    return [
        *((path, body, {"Content-Type": "application/json"}) for path, body in json_bodies),
        ("/invocations", text.encode(), {"Content-Type": "text/csv"}),
        ("/invocations", lines.encode(), {"Content-Type": "application/jsonlines"}),
        ("/invocations", file.getvalue(), {"Content-Type": "application/x-npy"}),
        binary(tensors),
    ]


def binary(tensors: list[tuple[str, str, Any]]) -> Ask:
    kinds = {"FP64": "<f8", "INT64": "<i8", "BOOL": "?", "FP32": "<f4"}
    heads, parts = [], []
    for name, dtype, data in tensors:
        texts = [str(value).encode() for value in np.ravel(data)]
        raw = b"".join(struct.pack("<I", len(one)) + one for one in texts)
        part = raw if dtype == "BYTES" else np.array(data, dtype=kinds[dtype]).tobytes()
        heads.append({"name": name, "shape": list(np.shape(data)), "datatype": dtype,
                      "parameters": {"binary_data_size": len(part)}})  # fmt: skip
        parts.append(part)
    head = json.dumps({"inputs": heads, "outputs": []}).encode()
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return ("/v2/models/test/infer", head + b"".join(parts), headers)


def wounded(rng: random.Random, value: Any, chance: float = 0.12) -> Any:
    """The same JSON value with some of its parts replaced, dropped, doubled or renamed."""
    if rng.random() < chance:
        return rng.choice(CHANGES)
    if isinstance(value, list):
        parts = [wounded(rng, one, chance) for one in value if rng.random() > 0.04]
        return parts * 2 if rng.random() < 0.04 else parts
    if isinstance(value, dict):
        return {
            (name if rng.random() > 0.04 else rng.choice(["", "x", "data", "inputs"])): wounded(rng, one, chance)
            for name, one in value.items()
            if rng.random() > 0.04
        }
    return value


CASES: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str, Any]]]] = {
    "iris": (
        [dict.fromkeys(models.IRIS_COLUMNS, 1.5), dict.fromkeys(models.IRIS_COLUMNS, 3)],
        [("input", "FP64", [[1.0, 2.0, 3.0, 4.0]])],
    ),
    "houses": (
        [{"area": 50.5, "rooms": 2, "city": "Oslo", "garden": True}],
        [("area", "FP64", [50.5]), ("rooms", "INT64", [[2]]), ("city", "BYTES", ["Oslo"]), ("garden", "BOOL", [True])],
    ),
    "spam": ([{"text": "win"}, {"text": "lunch"}], [("text", "BYTES", ["win", "lunch"])]),
    "pair": (
        models.pair_rows(2),
        [("ids", "INT64", [[1, 2, 3]]), ("pixels", "FP32", [[[1.0, 2.0], [3.0, 4.0]]])],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_odd_bodies_to_every_contract(name: str, request: pytest.FixtureRequest) -> None:
    """A success or a refusal that says why, in JSON; never a 500, never silence; and unharmed requests are answered."""
    server: Server = request.getfixturevalue(name)
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)) as connection:
        bombard(connection, name)


def bombard(connection: http.client.HTTPConnection, name: str) -> None:
    rng = random.Random(name)
    for path, good, headers in asks_of(*CASES[name]):
        numbers_only = headers["Content-Type"] == "application/x-npy" and name in ("houses", "spam", "pair")
        seen = set()
        for turn in range(160):
            body = good
            if turn and not isinstance(good, bytes):
                body = wounded(rng, good)
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            if turn and (isinstance(good, bytes) or rng.random() < 0.25):
                data = mangled(rng, data)
            connection.request("POST", path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
            if turn == 0 and not numbers_only and not (name == "pair" and headers["Content-Type"] == "text/csv"):
                assert answer.status == 200, (path, data, text)
            assert answer.status in (200, 400, 413), (path, answer.status, data, text)
            if answer.status != 200:
                told = json.loads(text)
                assert told.get("error") or told["message"], (path, text)
            seen.add(answer.status)
        assert 400 in seen, path


def test_odd_headers_and_paths(iris: Server) -> None:
    """Types, lengths and names that nobody sends: told apart by 4xx, each in JSON."""
    good = json.dumps({"instances": [[1, 2, 3, 4]]}).encode()
    headers = [
        {"Content-Type": "application/json;;;"}, {"Content-Type": ";"}, {"Content-Type": "a" * 5000}, {"Accept": ",,;q=x"},
        {"Accept": "text/csv;q=9e999"}, {"Accept": "*" * 3000}, {"Inference-Header-Content-Length": "½"},
        {"Content-Type": "text/csv"}, {"Content-Type": "application/x-npy"}, {"Content-Type": "application/jsonlines"},
    ]  # fmt: skip
    paths = [
        "/invocations",
        "/predict",
        "/score",
        "/v1/models/test:predict",
        "/v2/models/test/infer",
        "/predictions/test",
    ]
    for given in headers:
        for path in paths:
            answer = iris.request("POST", path, good, headers=given)
            assert answer.status in (200, 400, 406, 415), (given, path, answer)
    for path in ("/v2/models//infer", "/v2/models/%00/infer", "/v1/models/:predict", "/v1/models/a%2fb:predict",
                 "/v2/models/test/versions/" + "9" * 3000 + "/infer", "/predictions/", "/v1/models/test:", "/v2/models/test:x/infer"):  # fmt: skip
        answer = iris.request("POST", path, good)
        assert answer.status == 404, path
        assert json.loads(answer.body)
