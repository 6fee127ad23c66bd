"""Rows for the user's own code arrive as they were sent, whichever contract brings them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mlpack.artifacts.model import Signature, TensorSpec
from tests.contract.served import Server, assemble, started
from tests.contract.test_invocations import saved

LOADER = """
import json

import numpy as np


def load(path, options, guard):
    return None


def predict(model, signature, inputs):
    rows = [json.dumps(row) for row in inputs["instances"]]
    return {"predictions": np.array(rows, dtype=object)}
"""
SIGNATURE = Signature(
    name="predict",
    method="predict",
    inputs=(TensorSpec(name="instances", dtype="BYTES", shape=(-1,)),),
    outputs=(TensorSpec(name="predictions", dtype="BYTES", shape=(-1,)),),
    layout="tensors",
    raw=("instances", "predictions"),
)
ROWS: list[Any] = [{"a": 1, "b": "x"}, {"a": 2.5, "b": None}]
SPLIT = {"columns": ["a", "b"], "data": [[1, "x"], [2.5, None]]}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that answers each row's own JSON."""
    folder = assemble(
        tmp_path_factory.mktemp("echo") / "app", model=b"x", signatures=(SIGNATURE,), loader=LOADER, sample=[1]
    )
    with started(folder) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "body", "given", "rows"),
    [
        ("/predict", {"instances": ROWS}, JSON, ROWS),
        ("/predict", {"columns": {"a": [1, 2.5], "b": ["x", None]}}, JSON, ROWS),
        ("/predict", {"instances": ["x", [1, [2]], None, 3]}, JSON, ["x", [1, [2]], None, 3]),
        ("/v1/models/test:predict", {"instances": ROWS}, JSON, ROWS),
        ("/v1/models/test:predict", {"inputs": {"a": [1, 2.5], "b": ["x", None]}}, JSON, ROWS),
        ("/invocations", {"dataframe_split": SPLIT}, JSON, ROWS),
        ("/invocations", {"dataframe_records": ROWS}, JSON, ROWS),
        ("/invocations", b"a,b\n1,x\n2.5,\n", {"Content-Type": "text/csv"}, ROWS),
        ("/invocations", b"1,x", {"Content-Type": "text/csv"}, [[1, "x"]]),
        ("/invocations", b'{"a": 1}\n[2]\n', {"Content-Type": "application/jsonlines"}, [{"a": 1}, [2]]),
        ("/invocations", saved(np.array([[1.5, 2], [3, 4]])), {"Content-Type": "application/x-npy"}, [[1.5, 2], [3, 4]]),
        ("/score", {"input_data": SPLIT}, JSON, ROWS),
        ("/predictions/test", {"instances": ROWS}, JSON, ROWS),
    ],
)  # fmt: skip
def test_rows_arrive_as_they_were_sent(echo: Server, path: str, body: Any, given: dict[str, str], rows: Any) -> None:
    """Objects, lists, texts and nulls; tables become objects by column."""
    answer = echo.request("POST", path, body, headers=given)
    assert answer.status == 200, answer.body
    document = answer.json()
    found = document if isinstance(document, list) else document.get("predictions") or document.get("outputs")
    assert [json.loads(text) for text in found] == rows


def test_tensors_arrive_row_by_row(echo: Server) -> None:
    """Open Inference's texts and numbers are the rows."""
    for dtype, shape, data, rows in (
        ("BYTES", [2], ["x", "y"], ["x", "y"]),
        ("FP32", [2, 2], [1, 2, 3, 4], [[1, 2], [3, 4]]),
        ("BOOL", [1], [True], [True]),
    ):
        entry = {"name": "anything", "shape": shape, "datatype": dtype, "data": data}
        answer = echo.request("POST", "/v2/models/test/infer", {"inputs": [entry]})
        assert [json.loads(text) for text in answer.json()["outputs"][0]["data"]] == rows
