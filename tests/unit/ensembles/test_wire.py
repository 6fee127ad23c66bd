"""Requests of members and their responses; whatever cannot be used is refused with its reason."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlpack.runtime.card import TensorSpec
from mlpack.runtime.ensembles.plan import Member, Query
from mlpack.runtime.ensembles.wire import BadResponseError, member_inputs, read_response, write_request
from mlpack.runtime.errors import RequestError
from mlpack.runtime.protocols.encoding.wire_tensors import write_tensor


def member(
    contract: str = "v2", *, classes: tuple[Any, ...] = (), output: str = "p", method: str = ""
) -> tuple[Member, Query]:
    """A member of one matrix with two columns."""
    query = Query(method, (TensorSpec("x", "FP32", (-1, 2)),), (), output, classes)
    return Member("a", "http://a", "m", "", contract, 1, 0, True, "", {"predict": query}), query


def taking(*inputs: TensorSpec, order: tuple[int, ...] = ()) -> Query:
    """A query of a member that takes these inputs."""
    return Query("", inputs, order, "p", ())


def response(array: Any, *, binary: bool = True) -> tuple[dict[str, str], bytes]:
    """What a V2 service answers."""
    entry, data = write_tensor("p", np.asarray(array), binary=binary)
    head = json.dumps({"outputs": [entry]}).encode()
    return {"Inference-Header-Content-Length": str(len(head))}, head + bytes(data)


def test_inputs_take_the_form_of_the_member() -> None:
    """Columns become a matrix, a matrix becomes columns, each in the member's dtype and by place."""
    columns = {"a": np.array([1, 2]), "b": np.array([3.5, 4.5])}
    matrix = member_inputs(taking(TensorSpec("x", "FP32", (-1, 2))), columns)
    assert matrix["x"].tolist() == [[1, 3.5], [2, 4.5]]
    assert matrix["x"].dtype == np.float32
    specs = (TensorSpec("b", "FP64", (-1,)), TensorSpec("a", "INT64", (-1,)))
    assert {
        name: array.tolist() for name, array in member_inputs(taking(*specs), {"x": np.array([[1.0, 2.0]])}).items()
    } == {
        "b": [1.0],
        "a": [2],
    }
    mixed = member_inputs(taking(TensorSpec("x", "FP64", (-1, 2)), order=(1, 0)), {"y": np.array([[1.0, 2.0]])})
    assert mixed["x"].tolist() == [[2, 1]]
    mixed = member_inputs(taking(TensorSpec("x", "FP64", (-1, 2)), order=(1, 0)), columns)
    assert mixed["x"].tolist() == [[3.5, 1], [4.5, 2]]
    mixed = member_inputs(taking(*specs, order=(1, 0)), {"x": np.array([[1.0, 2.0]])})
    assert {name: array.tolist() for name, array in mixed.items()} == {"b": [2.0], "a": [1]}
    same = np.ones((2, 2), dtype=np.float32)
    assert member_inputs(taking(TensorSpec("x", "FP32", (-1, 2))), {"y": same})["x"] is same


@pytest.mark.parametrize("binary", [True, False])
def test_a_response_is_read(binary: bool) -> None:
    """Binary or JSON."""
    owner, query = member()
    headers, body = response([0.5, 1.5], binary=binary)
    assert read_response(owner, query, headers, body, 2)["p"].tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("array", "classes", "reason"),
    [
        ([0.5], (), r"shape \[1\], for 2 rows"),
        (0.5, (), "shape"),
        ([0.5, np.nan], (), "NaN"),
        ([0.5, np.inf], (), "NaN or infinite"),
        ([0.5, 0.5], ("a", "b"), r"expected \[2, 2\]"),
        ([[0.5], [0.5]], ("a", "b"), r"expected \[2, 2\]"),
        ([[0, 1], [1, 0]], ("a", "b"), "no probabilities"),
    ],
)
def test_rubbish_is_refused(array: Any, classes: tuple[str, ...], reason: str) -> None:
    """Wrong shapes, no numbers, labels instead of probabilities."""
    owner, query = member(classes=classes)
    headers, body = response(array)
    with pytest.raises(BadResponseError, match=reason):
        read_response(owner, query, headers, body, 2)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>busy</html>", b"[]", b"{}", b'{"outputs": []}', b'{"outputs": [{"name": "q"}]}', b"\xff", b"{" * 99],
)
@pytest.mark.parametrize("contract", ["v2", "v1"])
def test_what_is_no_answer_is_refused(body: bytes, contract: str) -> None:
    """HTML, other JSON, no JSON."""
    owner, query = member(contract)
    with pytest.raises(BadResponseError):
        read_response(owner, query, {}, body, 2)


def test_tensorflow_serving_is_asked_in_rows() -> None:
    """`instances`, with the signature's name."""
    owner, query = member("v1", method="predict_proba")
    wire = write_request(owner, query, {"x": np.array([[1.0, 2.0]])})
    assert wire.path == "/v1/models/m:predict"
    assert json.loads(wire.body) == {"instances": [[1.0, 2.0]], "signature_name": "predict_proba"}
    assert read_response(owner, query, {}, b'{"predictions": [[0.5], [1]]}', 2)["p"].tolist() == [[0.5], [1.0]]
    with pytest.raises(BadResponseError, match="differ in their shape"):
        read_response(owner, query, {}, b'{"predictions": [[0.5], [1, 2]]}', 2)


def test_the_probability_of_the_second_class_becomes_both() -> None:
    """One number a row, as of a booster or a sigmoid layer; other values than probabilities are refused."""
    owner, _ = member()
    query = Query("", (TensorSpec("x", "FP32", (-1, 2)),), (), "p", ("no", "yes"), second=True)
    for array in ([0.25, 1.0], [[0.25], [1.0]]):
        assert read_response(owner, query, *response(array), 2)["p"].tolist() == [[0.75, 0.25], [0.0, 1.0]]
    with pytest.raises(BadResponseError, match="no probabilities"):
        read_response(owner, query, *response([-1.5, 0.2]), 2)


def test_numbers_that_an_integer_cannot_hold_are_refused() -> None:
    """As the member itself would refuse them; whole ones in range are cast."""
    whole = taking(TensorSpec("x", "UINT8", (-1, 2)))
    assert member_inputs(whole, {"y": np.array([[1.0, 255.0]])})["x"].tolist() == [[1, 255]]
    for value in (0.5, 256.0, -1.0, np.nan, np.inf):
        with pytest.raises(RequestError, match="x has values that are no whole numbers of UINT8"):
            member_inputs(whole, {"y": np.array([[1.0, value]])})
    with pytest.raises(RequestError):
        member_inputs(taking(TensorSpec("x", "INT64", (-1, 2))), {"y": np.array([[1.0, 2.0**63]])})


def test_a_member_without_the_binary_extension_gets_json() -> None:
    """Its tensors are lists, and nothing asks for bytes."""
    owner, query = member(output="p")
    request = write_request(replace(owner, binary=False), query, {"x": np.array([[1.0, 2.0]])})
    assert request.headers == {"Content-Type": "application/json"}
    document = json.loads(request.body)
    assert document["inputs"][0]["data"] == [1.0, 2.0]
    assert document["outputs"] == [{"name": "p"}]
    assert "binary" not in request.body.decode()


def test_whole_probabilities_in_v1_are_numbers_like_others() -> None:
    """JSON has no difference between 1 and 1.0."""
    owner, query = member("v1", classes=("a", "b"))
    assert read_response(owner, query, {}, b'{"predictions": [[1, 0]]}', 1)["p"].tolist() == [[1.0, 0.0]]
    with pytest.raises(BadResponseError, match="no probabilities"):
        read_response(owner, query, {}, b'{"predictions": [[3, -2]]}', 1)
