"""TensorFlow Serving's REST contract and KServe's V1, over plain HTTP; their clients are in test_real_clients.py."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.contract import models, scripted
from tests.contract.conftest import Serve
from tests.contract.served import Answer, Server

ROW = [5.1, 3.5, 1.4, 0.2]
PATH = "/v1/models/test:predict"


def asked(server: Server, body: Any, path: str = PATH, **headers: str) -> Answer:
    return server.request("POST", path, body, headers=headers)


def test_rows_and_columns_answer_in_their_own_words(iris: Server, pair: Server) -> None:
    """`instances` get `predictions`, `inputs` get `outputs`; several outputs are objects by row, or tensors by name."""
    assert asked(iris, {"instances": [ROW]}).json() == {"predictions": [0]}
    assert asked(iris, {"inputs": [ROW]}).json() == {"outputs": [0]}
    assert asked(iris, {"inputs": {"input": [ROW, ROW]}}).json() == {"outputs": [0, 0]}
    rows = models.pair_rows(2)
    wanted = models.pair_answer(rows)
    assert asked(pair, {"signature_name": "serving_default", "instances": rows}).json() == {"predictions": wanted}
    inputs = {name: [row[name] for row in rows] for name in rows[0]}
    outputs = asked(pair, {"inputs": inputs}, "/v1/models/test/versions/1.4.0:predict").json()["outputs"]
    assert outputs == {name: [row[name] for row in wanted] for name in wanted[0]}


def test_the_documentations_own_curl_is_answered(iris: Server) -> None:
    """`curl -d` says x-www-form-urlencoded; that server asks nothing of the type, nor do we here."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert iris.request("POST", PATH, {"instances": [ROW]}, headers=headers).json() == {"predictions": [0]}


def test_both_keys_or_none_are_400(iris: Server) -> None:
    """Trap 7: `instances` and `inputs` in one body are refused, as are none, in the contract's form."""
    bodies: list[Any] = [
        {"instances": [ROW], "inputs": [ROW]},
        {},
        {"signature_name": "predict"},
        [],
        None,
    ]
    for body in bodies:
        answer = asked(iris, body)
        assert answer.status == 400, body
        assert set(answer.json()) == {"error"}
    assert asked(iris, {"instances": [ROW], "more": 1}).status == 400
    names: list[Any] = ["nope", 1, [], {}]
    for name in names:
        assert asked(iris, {"instances": [ROW], "signature_name": name}).status == 400, name


def test_status_is_that_of_both_servers_at_once(iris: Server, pair: Server) -> None:
    """TensorFlow Serving's status and KServe's are one answer, with and without a version or label in the path."""
    for path in ("/v1/models/test", "/v1/models/test/versions/1", "/v1/models/test/labels/latest"):
        answer = iris.request("GET", path).json()
        assert (answer["name"], answer["ready"]) == ("test", True)
        status = {"error_code": "OK", "error_message": ""}
        assert answer["model_version_status"] == [{"version": "1", "state": "AVAILABLE", "status": status}]
    assert pair.request("GET", "/v1/models/test/versions/1.4.0").status == 200
    assert iris.request("GET", "/v1/models").json() == {"models": ["test"]}


def test_unknown_models_and_versions_are_404(iris: Server) -> None:
    """Trap 10: an unknown model, version or label is 404 in the contract's form, never 500."""
    gets = ("/v1/models/x", "/v1/models/test/versions/9", "/v1/models/test/labels/canary", "/v1/models/x/metadata")
    for path in gets:
        answer = iris.request("GET", path)
        assert (answer.status, set(answer.json())) == (404, {"error"}), path
    for path in ("/v1/models/x:predict", "/v1/models/test/versions/9:predict", "/v1/models/x:classify", "/v1/x"):
        answer = asked(iris, {"instances": [ROW]}, path)
        assert answer.status == 404, path
        assert isinstance(answer.json()["error"], str)
    assert iris.request("GET", PATH).status == 405


def test_verbs_that_no_signature_answers_are_told_so(iris: Server) -> None:
    """`:classify`, `:regress`, KServe's `:explain` and what is no verb are 400 in the contract's form, and name `:predict`."""
    for path in ("test:classify", "test/versions/1:regress", "test/labels/latest:explain", "test:nothing"):
        answer = asked(iris, {"instances": [ROW]}, f"/v1/models/{path}")
        assert (answer.status, set(answer.json())) == (400, {"error"}), path
        assert f":{path.partition(':')[2]} is not supported" in answer.json()["error"]
        assert ":predict" in answer.json()["error"]
        assert iris.request("GET", f"/v1/models/{path}").status == 405


def test_a_version_is_an_integer_in_the_answer(serve: Serve, pair: Server) -> None:
    """Clients read it as one; the path takes the number, the model's own name of it, and 0; nothing else."""
    numbered = serve(**scripted.APP, version="0042")
    for server, version, number in ((pair, "1.4.0", "1"), (numbered, "0042", "42")):
        for one in (number, version, "0"):
            told = server.request("GET", f"/v1/models/test/versions/{one}").json()["model_version_status"]
            assert [state["version"] for state in told] == [number], one
            told = server.request("GET", f"/v1/models/test/versions/{one}/metadata").json()["model_spec"]
            assert told["version"] == number
        assert server.request("GET", "/v1/models/test/versions/2").status == 404
        assert server.request("GET", "/v2/models/test").json()["versions"] == [version]
    answer = asked(numbered, {"instances": [[0, 7]]}, "/v1/models/test/versions/42:predict")
    assert answer.json() == {"predictions": [7.0]}


def test_version_0_is_the_one_there_is(iris: Server, pair: Server) -> None:
    """OpenVINO's client asks version 0 where its user names none; a model of any version answers."""
    for server in (iris, pair):
        assert server.request("GET", "/v1/models/test/versions/0").json()["model_version_status"][0]["version"] == "1"
        assert server.request("GET", "/v1/models/test/versions/0/metadata").status == 200
    assert asked(iris, {"instances": [ROW]}, "/v1/models/test/versions/0:predict").json() == {"predictions": [0]}
    assert iris.request("GET", "/v2/models/test/versions/0").status == 404


def test_metadata_is_a_signature_def(pair: Server, iris: Server) -> None:
    """dtypes and shapes in TensorFlow's words, the first signature as serving_default, the others by name."""
    document = pair.request("GET", "/v1/models/test/metadata").json()
    assert document["model_spec"] == {"name": "test", "signature_name": "", "version": "1"}
    default = document["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    pixels = default["inputs"]["pixels"]
    assert pixels["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in pixels["tensor_shape"]["dim"]] == ["-1", "2", "2"]
    assert default["outputs"]["label"]["dtype"] == "DT_STRING"
    found = iris.request("GET", "/v1/models/test/metadata").json()["metadata"]["signature_def"]["signature_def"]
    assert set(found) == {"serving_default", "predict", "predict_proba"}


def test_base64_stands_for_bytes(spam: Server) -> None:
    """`{"b64": ...}` is a text like any other; what is no Base64 is 400."""
    word = base64.b64encode(b"win money now").decode()
    for instances in ([{"b64": word}], [{"text": {"b64": word}}], [[{"b64": word}]]):
        assert asked(spam, {"instances": instances}).json() == {"predictions": ["spam"]}
    assert asked(spam, {"inputs": {"text": [{"b64": word}]}}).json() == {"outputs": ["spam"]}
    assert asked(spam, {"instances": [{"b64": "%%%"}]}).status == 400


def test_tokens_go_in_and_out(serve: Serve) -> None:
    """NaN, Infinity and -Infinity are values on this wire, both ways; 1e999 is none."""
    server = serve(**scripted.APP)
    answer = asked(server, b'{"instances": [[0, NaN], [0, Infinity], [0, -Infinity], [0, 1]]}')
    assert answer.body == b'{"predictions":[NaN,Infinity,-Infinity,1.0]}'
    assert repr(json.loads(answer.body)["predictions"]) == "[nan, inf, -inf, 1.0]"
    assert asked(server, b'{"instances": [[0, 1e999]]}').status == 400


@pytest.mark.parametrize("loading", [True])
def test_while_it_loads_it_is_503_in_both_servers_words(serve: Serve, loading: bool) -> None:
    """KServe's `ready` is false and TensorFlow Serving's state LOADING, under 503: never 200 with a sad body."""
    server = serve(**{**scripted.APP, "options": {"load_until": "never"}}, ready=not loading)
    answer = server.until("/v1/models/test", 503)
    assert answer.json()["ready"] is False
    assert answer.json()["model_version_status"][0]["state"] == "LOADING"
    predict = asked(server, {"instances": [[0, 1]]})
    assert (predict.status, predict.headers["retry-after"]) == (503, "1")
