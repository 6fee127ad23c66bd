"""What the server refuses: the status, the code, and what it says to help."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

import pytest

from tests.contract import models, scripted
from tests.contract.conftest import Serve
from tests.contract.served import PATIENCE_S, Server

GOOD = [5.1, 3.5, 1.4, 0.2]
NAMED = dict(zip(models.IRIS_COLUMNS, GOOD, strict=True))
DEEP = b'{"instances": ' + b"[" * 40 + b"1" + b"]" * 40 + b"}"

BAD_BODIES: list[tuple[str, Any, int, str]] = [
    ("empty", b"", 400, "bad_json"),
    ("cut off", b'{"instances": [[', 400, "bad_json"),
    ("brackets that do not match", b"[" * 100_0, 400, "bad_json"),
    ("two documents", b'{"instances": [[1,2,3,4]]} {}', 400, "bad_json"),
    ("not UTF-8", b'{"instances": "\xff"}', 400, "bad_json"),
    ("UTF-16", '{"instances": [[1,2,3,4]]}'.encode("utf-16"), 400, "bad_json"),
    ("NaN", b'{"instances": [[1,2,3,NaN]]}', 400, "bad_json"),
    ("Infinity", b'{"instances": [[1,2,3,-Infinity]]}', 400, "bad_json"),
    ("a key twice", b'{"instances": [[1,2,3,4]], "instances": [[1,2,3,4]]}', 400, "bad_json"),
    ("a column twice", b'{"instances": [{"a": 1, "a": 1}]}', 400, "bad_json"),
    ("deep", DEEP, 400, "bad_json"),
    ("very deep", b"[" * 30_000 + b"]" * 30_000, 400, "bad_json"),
    ("deep objects", b'{"a":' * 5000 + b"1" + b"}" * 5000, 400, "bad_json"),
    ("a number of 5000 digits", b'{"instances": [[1,2,3,' + b"9" * 5000 + b"]]}", 400, "bad_json"),
    ("half a surrogate", b'{"instances": [["\\ud800",2,3,4]]}', 400, "bad_json"),
    ("a control character", b'{"instances": [["\x01",2,3,4]]}', 400, "bad_json"),
    ("no object", [GOOD], 400, "bad_input"),
    ("null", b"null", 400, "bad_input"),
    ("no instances", {}, 400, "bad_input"),
    ("misspelt", {"instance": [GOOD]}, 400, "bad_input"),
    ("one key too many", {"instances": [GOOD], "more": {}}, 400, "bad_input"),
    ("both forms", {"instances": [GOOD], "features": GOOD}, 400, "bad_input"),
    ("parameters that are a list", {"instances": [GOOD], "parameters": []}, 400, "bad_input"),
    ("an unknown method", {"instances": [GOOD], "parameters": {"method": "nope"}}, 400, "unknown_method"),
    ("columns that are rows", {"columns": [GOOD]}, 400, "bad_input"),
    (
        "a column of another length",
        {"columns": {**{name: [1, 2] for name in models.IRIS_COLUMNS[:3]}, models.IRIS_COLUMNS[3]: [1]}},
        400,
        "bad_input",
    ),
    ("a column missing in columns", {"columns": {name: [1] for name in models.IRIS_COLUMNS[:3]}}, 400, "bad_input"),
    ("rows that are an object", {"instances": NAMED}, 400, "bad_input"),
    ("rows that are null", {"instances": None}, 400, "bad_input"),
    ("one row without its list", {"instances": GOOD}, 400, "bad_input"),
    ("too narrow", {"instances": [GOOD, GOOD[:3]]}, 400, "bad_input"),
    ("too wide", {"instances": [[*GOOD, 1]]}, 400, "bad_input"),
    ("an empty row", {"instances": [[]]}, 400, "bad_input"),
    ("nested too far", {"instances": [[GOOD]]}, 400, "bad_input"),
    ("lists among records", {"instances": [NAMED, GOOD]}, 400, "bad_input"),
    ("a bare value", {"instances": [1]}, 400, "bad_input"),
    ("a text", {"instances": [["5.1", 3.5, 1.4, 0.2]]}, 400, "bad_input"),
    ("a list as value", {"instances": [[[1], 3.5, 1.4, 0.2]]}, 400, "bad_input"),
    ("1e400", b'{"instances": [[1e400,2,3,4]]}', 400, "bad_input"),
    ("10**400", {"instances": [[10**400, 2, 3, 4]]}, 400, "bad_input"),
    ("a column missing", {"instances": [dict.fromkeys(models.IRIS_COLUMNS[1:], 1)]}, 400, "bad_input"),
    ("a column too many", {"instances": [{**NAMED, "extra": 1}]}, 400, "bad_input"),
    ("an empty record", {"features": {}}, 400, "bad_input"),
    ("51 rows", {"instances": [GOOD] * 51}, 413, "too_many_rows"),
    ("a large body", b" " * (64 * 1024 + 1), 413, "body_too_large"),
]


@pytest.mark.parametrize(
    ("body", "status", "code"), [case[1:] for case in BAD_BODIES], ids=[case[0] for case in BAD_BODIES]
)
def test_a_bad_body_gets_its_status_and_help(iris: Server, body: Any, status: int, code: str) -> None:
    """Each is refused by its own status and code; a 400 shows an example that, sent as it is, is answered."""
    answer = iris.predict(body)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["content-type"] == "application/json"
    if status == 400:
        example = answer.json()["error"]["detail"]["example"]
        assert iris.predict(example).status == 200


def test_wrong_columns_are_all_named(iris: Server) -> None:
    """Unknown and missing columns are told by name, with the row."""
    row = {"sepal length (cm)": 1, "sepal width (cm)": 1, "petal lenght (cm)": 1, "petal width (cm)": 1}
    error = iris.predict({"instances": [NAMED, row]}).json()["error"]
    assert "petal length (cm)" in error["message"]
    assert "petal lenght (cm)" in error["message"]
    problem = error["detail"]["problems"][0]
    assert (problem["row"], problem["missing"], problem["unknown"]) == (1, ["petal length (cm)"], ["petal lenght (cm)"])
    assert [column["name"] for column in error["detail"]["expected"]["columns"]] == list(models.IRIS_COLUMNS)


@pytest.mark.parametrize("server", ["houses", "spam"])
def test_examples_of_other_layouts_work(server: str, request: pytest.FixtureRequest) -> None:
    """The example in an error is a valid request for mixed columns and for text."""
    running: Server = request.getfixturevalue(server)
    example = running.predict({}).json()["error"]["detail"]["example"]
    assert running.predict(example).status == 200


def test_an_unknown_method_lists_the_known_ones(iris: Server) -> None:
    """?method= that the model lacks is 400, and says which there are."""
    answer = iris.predict({"instances": [GOOD]}, method="transform")
    assert (answer.status, answer.code) == (400, "unknown_method")
    assert answer.json()["error"]["detail"]["methods"] == ["predict", "predict_proba"]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200), ("application/json; charset=utf-8", 200), ("Application/JSON;charset=UTF-8", 200),
        ("application/cloudevents+json", 200), ('application/json; charset="utf-8"', 200), ("application/json; v=1", 200),
        ("text/csv", 415), ("application/x-www-form-urlencoded", 415), ("application/json; charset=latin-1", 415),
        ("", 415), ("json", 415), ("application/jsonx", 415),
    ],
)  # fmt: skip
def test_content_types(iris: Server, content_type: str, status: int) -> None:
    """JSON in UTF-8 is read, whatever its parameters; everything else is 415."""
    answer = iris.predict({"instances": [GOOD]}, headers={"Content-Type": content_type})
    assert answer.status == status
    if status == 415:
        assert answer.code == "unsupported_media_type"


def test_no_content_type_and_a_byte_order_mark_are_forgiven(iris: Server) -> None:
    """A client that says nothing of its type, or writes a BOM, is understood."""
    connection = http.client.HTTPConnection("127.0.0.1", iris.port, timeout=PATIENCE_S)
    connection.request("POST", "/predict", b"\xef\xbb\xbf" + json.dumps({"instances": [GOOD]}).encode())
    assert connection.getresponse().read() == b'{"predictions":[0]}'
    connection.close()


def test_a_compressed_body_is_refused(iris: Server) -> None:
    """Content-Encoding is 415, never a 400 about bytes that the client did not mean."""
    assert iris.predict({"instances": [GOOD]}, headers={"Content-Encoding": "gzip"}).status == 415


def test_unknown_routes_and_verbs(iris: Server) -> None:
    """404 and 405 are JSON; 405 says what is allowed."""
    for path in ("/nothing", "/predict/", "/healthz/", "//", "/predict%00", "/..%2f"):
        answer = iris.request("GET", path)
        assert (answer.status, answer.code) == (404, "not_found"), path
    for method, path, allow in (
        ("GET", "/predict", "POST"),
        ("DELETE", "/readyz", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
    ):
        answer = iris.request(method, path)
        assert (answer.status, answer.code, answer.headers["allow"]) == (405, "method_not_allowed", allow)


def test_head_is_get_without_the_body(iris: Server) -> None:
    """HEAD answers what GET would, with its length and no body."""
    for path in ("/", "/livez", "/readyz", "/ready", "/v2", "/v1/models/test", "/v2/models/test"):
        answer = iris.request("HEAD", path)
        assert (answer.status, answer.body) == (200, b"")
        assert int(answer.headers["content-length"]) == len(iris.request("GET", path).body)


def test_a_large_body_is_refused_before_it_is_sent(iris: Server) -> None:
    """Content-Length alone is enough for 413: the client need not send a byte of it."""
    with socket.create_connection(("127.0.0.1", iris.port), timeout=PATIENCE_S) as client:
        client.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_is_counted_while_it_comes(iris: Server) -> None:
    """Without Content-Length the bytes are counted, and the first too many is 413."""
    with socket.create_connection(("127.0.0.1", iris.port), timeout=PATIENCE_S) as client:
        client.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
        for _ in range(6):
            client.sendall(chunk)
        assert client.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_a_chunked_body_is_read_whole(iris: Server) -> None:
    """A body in pieces is one body."""
    connection = http.client.HTTPConnection("127.0.0.1", iris.port, timeout=PATIENCE_S)
    pieces = (bytes([byte]) for byte in json.dumps({"instances": [GOOD]}).encode())
    connection.request("POST", "/predict", pieces, {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().read() == b'{"predictions":[0]}'
    connection.close()


@pytest.mark.parametrize("offer", ["h2c", "websocket"])
def test_an_offer_to_upgrade_is_passed_over(iris: Server, offer: str) -> None:
    """A client that offers HTTP/2 or a websocket (Java's does, with every first request) is answered as it is."""
    headers = {"Connection": "Upgrade, HTTP2-Settings", "upgrade": offer, "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA"}
    connection = http.client.HTTPConnection("127.0.0.1", iris.port, timeout=PATIENCE_S)
    for _ in range(3):
        body = json.dumps({"instances": [GOOD]}).encode()
        connection.request("POST", "/predict", body, {"Content-Type": "application/json", **headers})
        assert connection.getresponse().read() == b'{"predictions":[0]}'
    connection.close()


def test_what_is_not_http_is_400_and_the_server_lives(iris: Server) -> None:
    """Garbage, TLS and HTTP/2 without asking: refused on that connection alone."""
    for garbage in (
        b"\x16\x03\x01\x02\x00\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", iris.port), timeout=PATIENCE_S) as client:
            client.sendall(garbage)
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")
    assert iris.request("GET", "/livez").status == 200


def test_request_ids(iris: Server) -> None:
    """A sane id comes back and is in the log; an insane one is replaced; without one there is a new one."""
    assert iris.request("GET", "/livez", headers={"X-Request-ID": "abc-1.2:3"}).headers["x-request-id"] == "abc-1.2:3"
    for bad in ('a"b', "a b", "x" * 129, "å", "", "{}"):
        given = iris.request("GET", "/livez", headers={"X-Request-ID": bad.encode("latin-1").decode("latin-1")})
        assert given.headers["x-request-id"] != bad
        assert len(given.headers["x-request-id"]) >= 16


def test_a_failing_model_is_500_and_its_reason_stays_in_the_log(serve: Serve) -> None:
    """The client gets a code and a request id; the trace is in the log under that id; the server lives on."""
    server = serve(**scripted.APP)
    for code in (2, 4, 5):
        answer = server.predict({"instances": [[code, 0]]}, headers={"X-Request-ID": f"id-{code}"})
        assert (answer.status, answer.code) == (500, "model_failed")
        assert answer.json()["error"]["detail"]["request_id"] == f"id-{code}"
        assert b"secret" not in answer.body
        assert b"Traceback" not in answer.body
    assert server.predict({"instances": [[3, 0]]}).status == 400
    assert server.predict({"instances": [[0, 42]]}).json() == {"predictions": [42.0]}
    server.stop()
    traces = {line["request_id"]: line["stack_trace"] for line in server.log() if "stack_trace" in line}
    assert "the secret reason" in traces["id-2"]
    assert set(traces) == {"id-2", "id-4", "id-5"}
