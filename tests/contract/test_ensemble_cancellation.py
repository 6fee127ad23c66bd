"""What a coordinator does not need any more leaves the queue of a member, and is never run there."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.contract import models
from tests.contract.coordinators import Coordinate, at, entry
from tests.contract.served import BUSY, HELD, Server, assemble, started, within
from tests.standins.member import Handler, constant, member

HOLDS, GIVEN_UP, LAST = 10.0, 7.0, 8.0  # the first value of a row
ROWS = [[GIVEN_UP, 0, 0, 0]] * 3
LOADER = f"""
import os
import time

import numpy as np


def load(path, options, guard):
    return None


def predict(model, signature, inputs):
    rows = inputs["input"]
    with open("ran", "a") as file:
        file.writelines(f"{{value}}\\n" for value in rows[:, 0])
    if rows[0, 0] == {HOLDS}:
        open({BUSY!r}, "w").close()
    while rows[0, 0] == {HOLDS} and os.path.exists({HELD!r}):
        time.sleep(0.005)
    return {{"predict_proba": np.tile([0.0, 1.0, 0.0], (len(rows), 1))}}
"""


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Server]:
    """A real service with a queue, whose model can be held."""
    signature = models.matrix("predict_proba", 4, models.out("predict_proba", "FP64", 3), batchable=True)
    folder = assemble(tmp_path / "slow", model=b"x", signatures=(signature,), loader=LOADER, sample=[[0, 0, 0, 0]])
    with started(folder) as server:
        yield server


@contextmanager
def held(server: Server) -> Iterator[None]:
    """The model is busy with one row; at the end it goes on, and must not run the rows that were given up meanwhile."""
    (server.folder / HELD).touch()
    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(server.predict, {"instances": [[HOLDS, 0, 0, 0]]})
            within((server.folder / BUSY).exists, server.text)
            yield
            server.until_waiting(1)
        finally:
            (server.folder / HELD).unlink()
    assert server.predict({"instances": [[LAST, 0, 0, 0]]}).status == 200
    ran = [float(line) for line in (server.folder / "ran").read_text().splitlines()]
    assert ran[-2:] == [HOLDS, LAST]
    assert GIVEN_UP not in ran


@contextmanager
def waiting(coordinator: Server) -> Iterator[None]:
    """A client that waits for the answer, and is gone when the `with` is left."""
    with closing(http.client.HTTPConnection("127.0.0.1", coordinator.port)) as client:
        client.request("POST", "/predict", json.dumps({"instances": ROWS}), {"Content-Type": "application/json"})
        yield


def test_the_rows_of_a_client_that_is_gone_leave_the_queue(coordinate: Coordinate, slow: Server) -> None:
    """While the member is busy with others."""
    coordinator = coordinate([entry("slow", at(slow))])
    with held(slow):
        with waiting(coordinator):
            slow.until_waiting(1 + len(ROWS))
        slow.until_waiting(1)
        coordinator.until_waiting(0)


def test_calls_that_wait_in_the_coordinator_are_dropped_too(coordinate: Coordinate, slow: Server) -> None:
    """Of many clients at once, some share a call of the member."""
    coordinator = coordinate([entry("slow", at(slow))])
    with held(slow):
        with ExitStack() as clients:
            for _ in range(10):
                clients.enter_context(waiting(coordinator))
            coordinator.until_waiting(10 * len(ROWS))
        coordinator.until_waiting(0)


def test_the_first_failure_of_a_required_member_drops_the_rows_of_others(coordinate: Coordinate, slow: Server) -> None:
    """The failure comes when they wait already."""

    def fail(handler: Handler, _rows: int) -> None:
        slow.until_waiting(1 + len(ROWS))
        handler.reply(500, b"broken")

    with member(constant(1, 0, 0)) as broken:
        coordinator = coordinate([entry("slow", at(slow)), entry("broken", broken.url)])
        with held(slow):
            broken.behaviour = fail
            answer = coordinator.predict({"instances": ROWS})
            assert (answer.status, answer.json()["error"]["detail"]["member"]) == (502, "broken")


def test_a_member_that_is_left_out_drops_the_rows(coordinate: Coordinate, slow: Server) -> None:
    """An optional one, after its time limit."""
    with member(constant(1, 0, 0)) as quick:
        coordinator = coordinate([entry("quick", quick.url), entry("slow", at(slow), required=False, timeout_s=0.5)])
        with held(slow):
            answer = coordinator.predict({"instances": ROWS})
            assert answer.json() == {"predictions": [0] * len(ROWS), "partial": True, "missing": ["slow"]}


def test_the_deadline_of_a_client_drops_the_rows(coordinate: Coordinate, slow: Server) -> None:
    """Which the client has set."""
    coordinator = coordinate([entry("slow", at(slow))])
    with held(slow):
        answer = coordinator.predict({"instances": ROWS}, headers={"X-Request-Deadline-Ms": "500"})
        assert answer.status == 504


def test_a_cascade_leaves_the_next_member_alone(coordinate: Coordinate, slow: Server) -> None:
    """A decided one asks it nothing, though it is busy; a client that is gone takes its rows from it."""
    with member(constant(1, 0, 0)) as sure:
        coordinator = coordinate([entry("sure", sure.url), entry("slow", at(slow))], reducer="cascade", threshold=0.9)
        with held(slow):
            assert coordinator.predict({"instances": ROWS}).json() == {"predictions": [0] * len(ROWS)}
            assert slow.metric("mlpack_queue_rows") == 1
            sure.behaviour = constant(0.4, 0.3, 0.3)
            with waiting(coordinator):
                slow.until_waiting(1 + len(ROWS))
