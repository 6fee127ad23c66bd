"""/invocations and the probes beside it, as SageMaker and MLflow ask them; over plain HTTP, as both platforms' own calls are.

MLflow's scoring client comes only with all of MLflow, and SageMaker's speaks to AWS; the bodies are those of their documentation.
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from tests.contract import models, scripted
from tests.contract.conftest import Serve
from tests.contract.served import Answer, Server

ROW = [5.1, 3.5, 1.4, 0.2]
CSV, LINES, NPY = "text/csv", "application/jsonlines", "application/x-npy"


def asked(server: Server, body: Any, given: str = "application/json", accept: str | None = None) -> Answer:
    headers = {"Content-Type": given, **({"Accept": accept} if accept is not None else {})}
    return server.request("POST", "/invocations", body, headers=headers)


def saved(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=array.dtype == object)
    return file.getvalue()


def test_probes(iris: Server) -> None:
    """/ping is 200 with an empty body, /health 200, /version plain text."""
    ping = iris.request("GET", "/ping")
    assert (ping.status, ping.body) == (200, b"")
    assert iris.request("GET", "/health").status == 200
    version = iris.request("GET", "/version")
    assert (version.body, version.headers["content-type"]) == (b"0.1.0", "text/plain; charset=utf-8")


def test_csv_with_and_without_a_header(iris: Server, houses: Server, spam: Server) -> None:
    """A first line of the model's names is one, in any order; without it the cells are in the model's order."""
    header = ",".join(models.IRIS_COLUMNS)
    for body in ("5.1,3.5,1.4,0.2", f"{header}\n5.1,3.5,1.4,0.2\n", f"\ufeff{header}\r\n5.1,3.5,1.4,0.2\r\n\r\n"):
        assert asked(iris, body.encode(), CSV).json() == {"predictions": [0]}, body
    backwards = ",".join(reversed(models.IRIS_COLUMNS)) + "\n0.2,1.4,3.5,5.1\n"
    assert asked(iris, backwards.encode(), "text/csv; charset=utf-8").json() == {"predictions": [0]}
    wanted = houses.predict({"instances": [{"area": 50, "rooms": 2, "city": "Å", "garden": True}]}).json()
    for body in ("50,2,Å,true", "city,area,garden,rooms\nÅ,50.0,TRUE,2", '50,2,"Å",1'):
        assert asked(houses, body.encode(), CSV).json() == wanted, body
    texts = b'"win, money ""now"""\n"lunch\nat noon"\n'
    assert asked(spam, texts, CSV).json() == {"predictions": ["spam", "ham"]}


def test_an_empty_cell_is_a_missing_value(houses: Server) -> None:
    """As null is in JSON."""
    wanted = houses.predict({"instances": [{"area": None, "rooms": 2, "city": None, "garden": False}]}).json()
    assert asked(houses, b",2,,false", CSV).json() == wanted


@pytest.mark.parametrize(
    "body",
    [b"", b"5.1,3.5,1.4", b"5.1,3.5,1.4,x", b"5.1,3.5,1.4,0.2\n5.1", b"a,b,c,d\n1,2,3,4", b"\xff\xfe", b"1,2,3,1_0", b'"1', b"1,2,3,\x00",
     "1,2,3,\uff15".encode(), b"1,2,3,1e999"],
)  # fmt: skip
def test_bad_csv_is_400(iris: Server, body: bytes) -> None:
    """Too few cells, words among numbers, ragged lines, unknown names, other encodings: refused in MLflow's form."""
    answer = asked(iris, body, CSV)
    assert answer.status == 400
    assert set(answer.json()) == {"error_code", "message"}


def test_answers_in_the_form_that_is_accepted(iris: Server) -> None:
    """Accept picks JSON, CSV, JSON Lines or npy; anything or nothing is JSON; what cannot be written is 406."""
    body = {"instances": [ROW, [6.3, 3.3, 6.0, 2.5]]}
    assert asked(iris, body, accept=CSV).body == b"0\n2\n"
    assert asked(iris, body, accept=LINES).body == b"0\n2\n"
    array = np.load(io.BytesIO(asked(iris, body, accept=NPY).body), allow_pickle=False)
    assert (array.tolist(), array.dtype) == ([0, 2], np.int64)
    for accept in (
        "*/*",
        "",
        "application/json",
        "text/html, */*;q=0.1",
        "application/*",
        "image/png, application/json;q=0.5",
    ):
        assert asked(iris, body, accept=accept).json() == {"predictions": [0, 2]}, accept
    assert asked(iris, body, accept="application/json;q=0.1, text/csv;q=0.9").headers["content-type"] == CSV
    refused = asked(iris, body, accept="image/png")
    assert (refused.status, refused.json()["error_code"]) == (406, "BAD_REQUEST")
    chances = asked(iris, {**body, "params": {"method": "predict_proba"}}, accept=CSV).body.decode().splitlines()
    assert [len(line.split(",")) for line in chances] == [3, 3]


def test_json_lines(iris: Server, spam: Server) -> None:
    """A row, a record or `{"features": ...}` a line; blank lines are none; a bad line is named."""
    named = json.dumps(dict(zip(models.IRIS_COLUMNS, ROW, strict=True)))
    for body in (
        "[5.1,3.5,1.4,0.2]\n\n[5.1,3.5,1.4,0.2]\r\n",
        f"{named}\n{named}",
        '{"features":[5.1,3.5,1.4,0.2]}\n' * 2,
    ):
        assert asked(iris, body.encode(), LINES).json() == {"predictions": [0, 0]}, body
    assert asked(spam, b'"win money"\n"lunch"\n', "application/x-ndjson").json() == {"predictions": ["spam", "ham"]}
    answer = asked(iris, b"[5.1,3.5,1.4,0.2]\n[5.1,3.5,1.4,0.2],[5.1,3.5,1.4,0.2]\n", LINES)
    assert answer.status == 400
    assert "line 2" in answer.json()["message"]


def test_npy(iris: Server, spam: Server) -> None:
    """Numbers of any type and order, and texts; never a pickle, never a header that lies."""
    rows = np.array([ROW, [6.3, 3.3, 6.0, 2.5]])
    for array in (rows, rows.astype("f4"), rows.astype(">f8"), np.asfortranarray(rows)):
        assert asked(iris, saved(array), NPY).json() == {"predictions": [0, 2]}, array.dtype
    for texts in (np.array(["win money", "lunch"]), np.array([b"win money", b"lunch"])):
        assert asked(spam, saved(texts), NPY).json() == {"predictions": ["spam", "ham"]}
    good = saved(rows)
    huge = good.replace(b"(2, 4)", b"(2,10**9)"), good.replace(b"(2, 4), }", b"(999999999,4)}")
    bad = [b"", good[:-1], good + b"x", good[:20], *huge, saved(rows[0]), saved(rows[None]), saved(rows.astype(complex)),
           saved(np.array([{}, 1], dtype=object)), saved(np.zeros((0, 4))), good.replace(b"'<f8'", b"'|O8'"),
           good.replace(b"'descr'", b"__import"),
           good.replace(b"(2, 4), }", b"(True,8)}"), saved(np.array(1.0)), saved(rows.astype("M8[s]"))]  # fmt: skip
    for body in bad:
        answer = asked(iris, body, NPY)
        assert answer.status == 400, body[:80]
        assert set(answer.json()) == {"error_code", "message"}
        assert "0x" not in answer.json()["message"]  # where things lie in the memory is nobody's business


def test_infinity_goes_in_by_its_words(serve: Serve) -> None:
    """As a token of JSON, as pandas writes it to CSV; numbers that are too large for a float are not taken for it."""
    server = serve(**scripted.APP)
    rows = b"[0, Infinity], [0, -Infinity], [0, 1]"
    wanted = b"inf\n-inf\n1.0\n"
    assert asked(server, b'{"instances": [%s]}' % rows, accept=CSV).body == wanted
    assert asked(server, rows.replace(b"], [", b"]\n["), LINES, accept=CSV).body == wanted
    assert asked(server, b"0,inf\n0,-Infinity\n0,1\n", CSV, accept=CSV).body == wanted
    assert asked(server, b"inf,inf", CSV, accept=CSV).body == b"inf\n"  # no line of names
    assert server.request("POST", "/score", b'{"data": [%s]}' % rows).json() == [None, None, 1.0]
    for body, kind in ((b'{"instances": [[0, 1e999]]}', "application/json"), (b"[0, 1e999]", LINES), (b"0,1e999", CSV)):
        assert asked(server, body, kind).status == 400


def test_names_that_are_not_all_texts_tell_no_order(iris: Server) -> None:
    """Half-named columns are refused rather than taken in the model's order; numbers alone are positions."""
    half = {"dataframe_split": {"columns": [models.IRIS_COLUMNS[3], 1, 2, [3]], "data": [ROW]}}
    answer = asked(iris, half)
    assert (answer.status, "their order is not known" in answer.json()["message"]) == (400, True)
    assert asked(iris, {"dataframe_split": {"columns": [0, 1, 2, 3], "data": [ROW]}}).json() == {"predictions": [0]}
    uneven = {name: [1] * (place + 1) for place, name in enumerate(models.IRIS_COLUMNS)}
    assert '"sepal length (cm)" 1, "sepal width (cm)" 2' in asked(iris, {"inputs": uneven}).json()["message"]


def test_exactly_one_form(iris: Server) -> None:
    """MLflow: one of its four keys and params, nothing else; a bare list is SageMaker's JSON."""
    assert asked(iris, [ROW]).json() == {"predictions": [0]}
    assert asked(iris, {"instances": [ROW], "params": {"temperature": 1}}).json() == {"predictions": [0]}
    bodies: list[Any] = [
        {},
        {"instances": [ROW], "inputs": [ROW]},
        {"data": [ROW]},
        {"instances": [ROW], "x": 1},
        None,
        "x",
        {"dataframe_split": []},
        {"dataframe_split": {"columns": ["a"], "data": [[1]]}},
        {"dataframe_split": {"data": [ROW], "x": 1}},
        {"instances": [ROW], "params": []},
        {"dataframe_records": {}},
        {"inputs": {}},
    ]
    for body in bodies:
        answer = asked(iris, body)
        assert answer.status == 400, body
        assert set(answer.json()) == {"error_code", "message"}, body
    assert asked(iris, b"[").json()["error_code"] == "MALFORMED_REQUEST"
    assert asked(iris, {"instances": [[1]]}).json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_pandas_nan_is_a_missing_value(houses: Server) -> None:
    """MLflow's client writes a frame's NaN as the token."""
    body = b'{"dataframe_split": {"columns": ["area", "rooms", "city", "garden"], "data": [[NaN, 2, "Oslo", true]]}}'
    wanted = houses.predict({"instances": [{"area": None, "rooms": 2, "city": "Oslo", "garden": True}]}).json()
    assert asked(houses, body).json() == wanted


def test_types_that_are_not_read_are_415(iris: Server) -> None:
    """Another media type, another charset, a compressed body; no type at all is JSON."""
    for given in ("text/plain", "application/xml", "text/csv; charset=latin-1", "application/json;charset=utf-16"):
        answer = asked(iris, {"instances": [ROW]}, given)
        assert (answer.status, set(answer.json())) == (415, {"error_code", "message"}), given
    packed = iris.request("POST", "/invocations", b"x", headers={"Content-Encoding": "gzip"})
    assert packed.status == 415
    assert asked(iris, {"instances": [ROW]}, "").status == 200


def test_rows_are_counted_in_every_type(iris: Server) -> None:
    """Trap 6: the bound is on rows, in CSV, JSON Lines, npy and JSON alike."""
    bodies = {CSV: b"5.1,3.5,1.4,0.2\n", LINES: b"[5.1,3.5,1.4,0.2]\n"}
    for given, line in bodies.items():
        assert asked(iris, line * 51, given).status == 413
        assert asked(iris, line * 50, given).status == 200
    assert asked(iris, saved(np.zeros((51, 4))), NPY).status == 413
    assert asked(iris, {"inputs": [ROW] * 51}).status == 413
    assert iris.request("POST", "/score", {"data": [ROW] * 51}).status == 413


def test_ping_is_not_200_while_the_model_loads(serve: Serve) -> None:
    """Trap 4: every route that means ready is 503 until the model has answered, and /livez is 200 at once."""
    server = serve(**{**scripted.APP, "options": {"load_until": "loaded"}}, ready=False)
    server.until("/livez", 200)
    paths = ("/ping", "/health", "/ready", "/readyz", "/healthz", "/v2/health/ready", "/v2/models/test/ready")
    for path in paths:
        assert server.request("GET", path).status == 503, path
        assert server.request("HEAD", path).status == 503, path
    assert server.request("GET", "/v2/health/live").status == 200
    refused = asked(server, {"instances": [[0, 1]]})
    assert (refused.status, refused.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    (server.folder / "loaded").touch()
    server.until("/ping", 200)
    for path in paths:
        assert server.request("GET", path).status == 200, path
