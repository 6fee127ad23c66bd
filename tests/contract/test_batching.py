"""Requests that wait are joined: what a client may notice of it, and what it must not."""

from __future__ import annotations

import json
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mlpack.artifacts.model import Signature, TensorSpec
from tests.contract.conftest import Serve
from tests.contract.crowd import crowd
from tests.contract.served import HELD, Answer

LOADER = """
import os
import time

import numpy as np


class InputError(ValueError):
    pass


def load(path, options, guard):
    return None


def predict(model, signature, inputs):
    rows = inputs["input"]
    for code, value in rows[:, :2]:
        if code == 1 and os.path.exists("held"):
            time.sleep(value)
        if code == 10:
            open("busy", "w").close()
        while code == 10 and os.path.exists("held"):
            time.sleep(0.005)
        if code == 2:
            raise RuntimeError("a poisoned row")
        if code == 3:
            raise InputError("it takes no threes")
    answer = rows[:, 1] if signature.name == "predict" else -rows[:, 1]
    return {"value": answer, "together": np.full(len(rows), len(rows))}
"""


def signature(name: str, *, batchable: bool = True) -> Signature:
    """Two columns or more in, the second one out, with how many rows the call had."""
    return Signature(
        name=name,
        method=name,
        inputs=(TensorSpec(name="input", dtype="FP64", shape=(-1, -1)),),
        outputs=(
            TensorSpec(name="value", dtype="FP64", shape=(-1,)),
            TensorSpec(name="together", dtype="INT64", shape=(-1,)),
        ),
        layout="matrix",
        batchable=batchable,
    )


SIGNATURES = (signature("predict"), signature("negative"))
APP: dict[str, Any] = {"model": b"x", "signatures": SIGNATURES, "loader": LOADER, "sample": [[0, 0]]}


def together(answer: Answer) -> list[int]:
    return [row["together"] for row in answer.json()["predictions"]]


def values(answer: Answer) -> list[float]:
    return [row["value"] for row in answer.json()["predictions"]]


def test_who_waits_goes_together_and_gets_its_own_rows(serve: Serve) -> None:
    """While the model is busy requests gather; then one call answers them all, each with its own rows in its own order."""
    server = serve(**APP)
    with crowd(server) as waiting:
        asked = [waiting.ask(*[[0.0, 100.0 * n + row] for row in range(n + 1)]) for n in range(8)]
        waiting.go()
        for n, answer in enumerate(asked):
            assert values(answer.result()) == [100 * n + row for row in range(n + 1)]
            assert together(answer.result()) == [36] * (n + 1)


def test_an_idle_server_does_not_wait_for_company(serve: Serve) -> None:
    """A request alone is a call alone, at once."""
    server = serve(**APP)
    for value in range(5):
        assert together(server.predict({"instances": [[0, value]]})) == [1]


def test_two_signatures_and_two_shapes_are_never_mixed(serve: Serve) -> None:
    """Each call has one signature and one width; each answer is that signature's."""
    server = serve(**APP)
    with crowd(server) as waiting:
        narrow = [waiting.ask([0, n]) for n in range(5)]
        other = [waiting.ask([0, n], method="negative") for n in range(4)]
        wide = [waiting.ask([0, n, 7]) for n in range(3)]
        waiting.go()
        assert [values(one.result()) for one in narrow] == [[n] for n in range(5)]
        assert [values(one.result()) for one in other] == [[-n] for n in range(4)]
        assert [values(one.result()) for one in wide] == [[n] for n in range(3)]
        assert {together(one.result())[0] for one in narrow} == {5}
        assert {together(one.result())[0] for one in other} == {4}
        assert {together(one.result())[0] for one in wide} == {3}


@pytest.mark.parametrize(
    ("signatures", "settings"),
    [
        ((signature("predict", batchable=False),), ""),
        (SIGNATURES, 'batch=Batch(mode="off")'),
        (SIGNATURES, "batch=Batch(max_rows=1)"),
    ],
)
def test_it_can_be_off(serve: Serve, signatures: tuple[Signature, ...], settings: str) -> None:
    """A signature that is not batchable, and one whose user said off, never shares a call."""
    server = serve(**{**APP, "signatures": signatures}, settings=settings)
    with crowd(server) as waiting:
        asked = [waiting.ask([0, n]) for n in range(6)]
        waiting.go()
        assert [together(one.result()) for one in asked] == [[1]] * 6


def test_it_can_be_insisted_on(serve: Serve) -> None:
    """`mode: on` joins what the card does not call batchable."""
    server = serve(**{**APP, "signatures": (signature("predict", batchable=False),)}, settings='batch=Batch(mode="on")')
    with crowd(server) as waiting:
        asked = [waiting.ask([0, n]) for n in range(6)]
        waiting.go()
        assert [together(one.result()) for one in asked] == [[6]] * 6


def test_a_large_request_is_split_and_does_not_hold_the_door(serve: Serve) -> None:
    """Its rows come back in order, no call has more than the bound, and small requests are answered before it ends."""
    server = serve(**APP, settings="batch=Batch(max_rows=10)")
    held = server.folder / HELD
    held.touch()  # until it has gone every tenth row takes a while, and all of them too long to wait for
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(server.predict, {"instances": [[1 if n % 10 == 0 else 0, 0.05] for n in range(8000)]})
        server.until_waiting(8000)
        for value in range(3):
            assert values(server.predict({"instances": [[0, value]]})) == [value]
        assert not slow.done()
        held.unlink()
        assert together(slow.result()) == [10] * 8000
    answer = server.predict({"instances": [[0, n] for n in range(1, 96)]})
    assert values(answer) == list(range(1, 96))
    assert together(answer) == [10] * 90 + [5] * 5


def test_a_failing_neighbour_fails_alone(serve: Serve) -> None:
    """A row that the model dies on, and one that it refuses, get their own answers; all others get theirs."""
    server = serve(**APP)
    for bad, status in ((2, 500), (3, 400)):
        with crowd(server) as waiting:
            good = [waiting.ask([0, n]) for n in range(4)]
            wrong = waiting.ask([bad, 0])
            more = [waiting.ask([0, n]) for n in range(4, 8)]
            waiting.go()
            assert [values(one.result()) for one in (*good, *more)] == [[n] for n in range(8)]
            assert wrong.result().status == status
        assert b"poisoned" not in wrong.result().body


def test_calls_that_keep_failing_end_the_joining(serve: Serve) -> None:
    """After three failed calls in ten seconds each request is called alone, and the log says so; bad values do not count."""
    server = serve(**APP)

    def round_of(bad: int) -> list[int]:
        with crowd(server) as waiting:
            wrong = waiting.ask([bad, 0])
            good = [waiting.ask([0, n]) for n in range(3)]
            waiting.go()
            wrong.result()
            return [together(one.result())[0] for one in good]

    for _ in range(4):
        round_of(3)
    assert "keep failing" not in server.text()
    assert round_of(0) == [4, 4, 4]
    for _ in range(3):
        round_of(2)
    assert round_of(0) == [1, 1, 1]
    server.stop()
    told = [line for line in server.log() if "keep failing" in line["message"]]
    assert [line["severity"] for line in told] == ["WARNING"]
    assert "poisoned" in told[0]["cause"]


def test_who_left_is_not_in_the_call(serve: Serve) -> None:
    """A client that closes its connection while it waits leaves before the model is called."""
    server = serve(**APP)
    with crowd(server) as waiting:
        body = json.dumps({"instances": [[0, 1]]}).encode()
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(head + body)
                server.until_waiting(2)
        stayed = [waiting.ask([0, n]) for n in range(3)]
        waiting.go()
        assert [together(one.result()) for one in stayed] == [[3]] * 3


def test_the_metrics_tell_of_it(serve: Serve) -> None:
    """/metrics counts requests by route and status, and the rows of each call; all in Prometheus' text."""
    server = serve(**APP)
    with crowd(server) as waiting:
        asked = [waiting.ask([0, n]) for n in range(5)]
        waiting.all_wait()
        time.sleep(0.1)
        waiting.let_go()
        for one in (waiting.busy, *asked):
            one.result()
    server.predict({"instances": [["x", 1]]})
    server.request("GET", "/nowhere")
    answer = server.request("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.body.decode()
    found = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert found['mlpack_requests_total{route="/predict",status="200"}'] == "6"
    assert found['mlpack_requests_total{route="/predict",status="400"}'] == "1"
    assert found['mlpack_requests_total{route="unmatched",status="404"}'] == "1"
    assert found["mlpack_batch_rows_sum"] == "6.000000"
    assert found["mlpack_batch_rows_count"] == "2"
    assert found['mlpack_batch_rows_bucket{le="4"}'] == "1"
    assert found['mlpack_batch_rows_bucket{le="8"}'] == "2"
    assert float(found["mlpack_predict_seconds_sum"]) > 0.1
    assert float(found["mlpack_queue_seconds_count"]) == 6
    assert found["mlpack_queue_rows"] == "0"
    assert found["mlpack_ready_workers"] == "1"
    assert float(found["process_resident_memory_bytes"]) > 10**7
    assert float(found["mlpack_model_load_seconds"]) >= 0
    assert all(re.fullmatch(r"[a-z_]+(\{[^{}]*\})? [0-9.e+-]+", line) for line in text.splitlines() if line[0] != "#")


def test_the_log_tells_the_parts_of_the_latency(serve: Serve) -> None:
    """Queue, model and all together; a summary of the values; the trace that a front end began; Cloud Logging's fields."""
    server = serve(**APP, env={"GOOGLE_CLOUD_PROJECT": "acme"})
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "X-Request-ID": "first"}
    cloud = {"X-Cloud-Trace-Context": "0af7651916cd43dd8448eb211c80319c/123;o=1", "X-Request-ID": "second"}
    with crowd(server) as waiting:
        waiting.ask([0, 5], [0, 7.125], headers=trace)
        waiting.all_wait()
        time.sleep(0.1)
        waiting.let_go()
    server.predict({"instances": [[0, 1]]}, headers=cloud)
    server.predict({"instances": [["x", 1]]}, headers={"X-Request-ID": "third", "traceparent": "not one"})
    server.stop()
    lines = {line.get("request_id"): line for line in server.log()}
    first = lines["first"]
    assert 50 < first["queue_ms"] < first["latency_ms"]
    assert first["predict_ms"] < first["latency_ms"]
    assert (first["batch_rows"], first["rows"], first["signature"]) == (2, 2, "predict")
    assert first["input"] == {"shape": [2, 2], "range": [0.0, 7.12]}
    assert first["output"]["tensors"][0] == {"name": "value", "shape": [2], "range": [5.0, 7.12]}
    request = first["httpRequest"]
    assert (request["requestMethod"], request["requestUrl"], request["status"]) == ("POST", "/predict", 200)
    assert request["latency"].endswith("s")
    name = "projects/acme/traces/0af7651916cd43dd8448eb211c80319c"
    assert first["logging.googleapis.com/trace"] == lines["second"]["logging.googleapis.com/trace"] == name
    assert first["logging.googleapis.com/spanId"] == "b7ad6b7169203331"
    assert lines["second"]["logging.googleapis.com/spanId"] == f"{123:016x}"
    assert (lines["third"]["severity"], lines["third"]["error"]) == ("WARNING", "bad_input")
    assert "logging.googleapis.com/trace" not in lines["third"]
    assert "7.125" not in server.text()


def test_payloads_are_logged_only_when_asked_for(serve: Serve) -> None:
    """`log_payloads` writes the first rows of both sides; the variable turns it on too."""
    server = serve(**APP, env={"MLPACK_SERVE_LOG_PAYLOADS": "true"})
    server.predict({"instances": [[0, 7.125]]}, headers={"X-Request-ID": "told"})
    server.stop()
    line = next(line for line in server.log() if line.get("request_id") == "told")
    assert json.loads(line["payload"]["inputs"]) == {"input": [[0.0, 7.125]]}
    assert json.loads(line["payload"]["outputs"])["value"] == [7.125]
