"""A coordinator and its members as real servers: reduced answers, partial answers, and every failure of a member."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from tests.contract import models
from tests.contract.coordinators import Coordinate, at, entry
from tests.contract.served import Server, assemble, started, within
from tests.standins.member import Handler, Member, constant, member, slow

ROWS = load_iris().data[::30].tolist()


@pytest.fixture
def two(coordinate: Coordinate) -> Iterator[tuple[Member, Member, Server]]:
    """A required member, an optional one with a time limit, and their coordinator."""
    with member(constant(1, 0, 0)) as first, member(constant(0, 1, 0)) as second:
        coordinator = coordinate([
            entry("first", first.url, weight=1),
            entry("second", second.url, weight=3, required=False, timeout_s=0.5),
        ])  # fmt: skip
        yield first, second, coordinator


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], dict[str, Server]]]:
    """Three trained classifiers, and a service of each."""
    x, y = load_iris(return_X_y=True)
    fitted: dict[str, Any] = {
        "linear": LogisticRegression(max_iter=500).fit(x, y),
        "forest": RandomForestClassifier(n_estimators=5, random_state=0).fit(x, y),
        "narrow": LogisticRegression(max_iter=500).fit(x[50:], y[50:]),  # it knows the classes 1 and 2 only
    }
    with ExitStack() as stack:
        servers = {}
        for name, model in fitted.items():
            classes = tuple(model.classes_.tolist())
            signatures = (
                models.matrix("predict", 4, models.out("predict", "INT64"), classes=classes, batchable=True),
                models.matrix("predict_proba", 4, models.out("predict_proba", "FP64", len(classes)), batchable=True),
            )
            folder = assemble(tmp_path_factory.mktemp(name) / "app", model=models.pickled(model), signatures=signatures)
            servers[name] = stack.enter_context(started(folder))
        yield fitted, servers


def ask(server: Server, rows: Any = None, *, method: str = "predict_proba", **more: Any) -> Any:
    """The whole answer of /predict, which must be 200."""
    answer = server.predict({"instances": ROWS if rows is None else rows}, method=method, **more)
    assert answer.status == 200, answer.body
    return answer.json()


def test_a_soft_vote_of_real_models_is_numpys(real: Any, coordinate: Coordinate) -> None:
    """Weighted, with a member that lacks a class; labels and probabilities, for one row and for many."""
    fitted, servers = real
    weights = {"linear": 1.0, "forest": 2.0, "narrow": 0.5}
    coordinator = coordinate([
        entry(name, at(servers[name]), classes=model.classes_.tolist(), weight=weights[name])
        for name, model in fitted.items()
    ])  # fmt: skip
    rows = load_iris().data
    narrow = np.zeros((len(rows), 3))
    narrow[:, 1:] = fitted["narrow"].predict_proba(rows)
    parts = [fitted["linear"].predict_proba(rows), fitted["forest"].predict_proba(rows), narrow]
    wanted = np.average(np.stack(parts), axis=0, weights=list(weights.values()))
    assert np.array_equal(np.array(ask(coordinator, rows.tolist())["predictions"]), wanted)
    assert ask(coordinator, rows.tolist(), method="predict")["predictions"] == wanted.argmax(axis=1).tolist()
    # joined or not, each caller gets its own rows
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda row: ask(coordinator, [row])["predictions"][0], rows.tolist()))
    assert np.allclose(found, wanted, rtol=1e-12)


def test_a_cascade_asks_the_next_only_for_what_is_left(real: Any, coordinate: Coordinate) -> None:
    """Each row is answered by the first member that is sure enough, else by the last."""
    fitted, servers = real
    names = ("linear", "forest")
    coordinator = coordinate([entry(name, at(servers[name])) for name in names], reducer="cascade", threshold=0.9)
    rows = load_iris().data
    first, second = (fitted[name].predict_proba(rows) for name in names)
    sure = first.max(axis=1) >= 0.9
    assert 0 < sure.sum() < len(rows)
    wanted = np.where(sure[:, None], first, second)
    assert np.allclose(np.array(ask(coordinator, rows.tolist())["predictions"]), wanted, rtol=1e-12)
    described = coordinator.request("GET", "/openapi.json").json()["paths"]["/predict"]["post"]
    assert "explain" in [one["name"] for one in described["parameters"]]
    answered = described["responses"]["200"]["content"]["application/json"]["schema"]
    assert {"partial", "missing", "members"} <= set(answered["properties"])
    assert answered["required"] == ["predictions"]
    explained = coordinator.request("POST", "/predict?explain=true", {"instances": rows.tolist()}).json()["members"]
    assert [one["member"] for one in explained] == list(names)
    assert explained[1]["rows"] == np.flatnonzero(~sure).tolist()


def test_a_missing_optional_member_is_named(two: tuple[Member, Member, Server]) -> None:
    """In the answer of each contract, and in a header; the other weights are renormalised."""
    _, second, coordinator = two
    assert ask(coordinator, ROWS[:1]) == {"predictions": [[0.25, 0.75, 0]]}
    second.behaviour = lambda handler, _rows: handler.reply(500, b"broken")
    answer = coordinator.predict({"instances": ROWS[:1]}, method="predict_proba")
    assert answer.json() == {"predictions": [[1, 0, 0]], "partial": True, "missing": ["second"]}
    assert answer.headers["x-partial-answer"] == "second"
    v1 = coordinator.request("POST", "/v1/models/test:predict", {"instances": ROWS[:1]}).json()
    assert (v1["partial"], v1["missing"]) == (True, ["second"])
    tensor = {"name": "input", "datatype": "FP64", "shape": [1, 4], "data": ROWS[0]}
    v2 = coordinator.request("POST", "/v2/models/test/infer", {"inputs": [tensor]}).json()
    assert v2["parameters"] == {"partial": True, "missing": ["second"]}
    assert coordinator.request("GET", "/ready").status == 200
    assert coordinator.metric("mlpack_partial_answers_total") == 3


RUBBISH: dict[str, Callable[[Handler, int], None]] = {
    "a wrong number of rows": lambda handler, rows: handler.tensor(
        "predict_proba", [rows + 1, 3], [0.1] * 3 * (rows + 1)
    ),
    "a wrong number of classes": lambda handler, rows: handler.tensor("predict_proba", [rows, 2], [0.5] * 2 * rows),
    "NaN": lambda handler, rows: handler.tensor("predict_proba", [rows, 3], [float("nan")] * 3 * rows),
    "another output": lambda handler, rows: handler.tensor("other", [rows, 3], [0.1] * 3 * rows),
    "HTML": lambda handler, _rows: handler.reply(200, b"<html>maintenance</html>", {"Content-Type": "text/html"}),
    "an error": lambda handler, _rows: handler.reply(500, b'{"error": "boom"}'),
    "a redirect": lambda handler, _rows: handler.reply(302, b"", {"Location": "http://127.0.0.1:1/"}),
    "no HTTP": lambda handler, _rows: handler.say(b"hello\r\n\r\n"),
    "half a body": lambda handler, _rows: handler.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"),
}


@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_of_a_required_member_is_502(two: tuple[Member, Member, Server], name: str) -> None:
    """The member is named, and so is what is wrong; afterwards it is used as before."""
    first, _, coordinator = two
    good = first.behaviour
    first.behaviour = RUBBISH[name]
    answer = coordinator.predict({"instances": ROWS[:1]}, headers={"X-Request-ID": "abc"})
    assert (answer.status, answer.code) == (502, "member_failed"), answer.body
    error = answer.json()["error"]
    assert error["detail"]["member"] == "first"
    assert "member first" in error["message"]
    assert answer.headers["x-request-id"] == "abc"
    assert first.requests[-1]["x-request-id"] == "abc"
    first.behaviour = good
    assert ask(coordinator, ROWS[:1]) == {"predictions": [[0.25, 0.75, 0]]}


def test_a_late_required_member_is_504(coordinate: Coordinate) -> None:
    """After its own time limit; it had been told how long it may take."""
    with member(constant(1, 0, 0)) as late:
        coordinator = coordinate([entry("late", late.url, timeout_s=0.3)])
        late.behaviour = slow(5, constant(1, 0, 0))
        began = time.monotonic()
        answer = coordinator.predict({"instances": ROWS[:1]})
        assert (answer.status, answer.code) == (504, "member_late")
        assert time.monotonic() - began < 4
        assert 0 < int(late.requests[-1]["x-request-deadline-ms"]) <= 300


def test_a_deadline_that_ends_before_those_of_joined_requests_names_the_member(
    two: tuple[Member, Member, Server],
) -> None:
    """Requests that wait go together, with the latest of their deadlines; each is answered at its own, with the member's name."""
    first, _, coordinator = two
    first.behaviour = slow(1, first.behaviour)
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(
                lambda milliseconds: coordinator.predict(
                    {"instances": ROWS[:1]}, headers={"X-Request-Deadline-Ms": str(milliseconds)}
                ),
                range(100, 900, 50),
            )
        )
    for answer in answers:
        error = answer.json()["error"]
        assert (answer.status, error["code"], error["detail"]["member"]) == (504, "member_late", "first"), error
        assert "member first" in error["message"]


def test_a_late_optional_member_is_left_out(two: tuple[Member, Member, Server]) -> None:
    """At its own time limit."""
    _, second, coordinator = two
    second.behaviour = slow(5, constant(0, 1, 0))
    assert ask(coordinator, ROWS[:1]) == {"predictions": [[1, 0, 0]], "partial": True, "missing": ["second"]}


def test_the_deadline_of_the_request_goes_to_the_members(two: tuple[Member, Member, Server]) -> None:
    """What is left of it."""
    first, _, coordinator = two
    ask(coordinator, ROWS[:1], headers={"X-Request-Deadline-Ms": "1500"})
    assert 0 < int(first.requests[-1]["x-request-deadline-ms"]) <= 1500


def test_a_call_that_never_started_is_repeated(two: tuple[Member, Member, Server]) -> None:
    """503 with Retry-After: once more inside the deadline; the answer is whole."""
    first, _, coordinator = two
    answers = iter([503, 200])

    def overloaded_once(handler: Handler, rows: int) -> None:
        if next(answers) == 503:
            handler.reply(503, b'{"error": "busy"}', {"Retry-After": "0"})
        else:
            constant(1, 0, 0)(handler, rows)

    before = len(first.requests)
    first.behaviour = overloaded_once
    assert ask(coordinator, ROWS[:1]) == {"predictions": [[0.25, 0.75, 0]]}
    assert len(first.requests) - before == 2


def test_an_error_is_not_repeated(two: tuple[Member, Member, Server]) -> None:
    """The work may have been done: 500 is called once."""
    first, _, coordinator = two
    first.behaviour = RUBBISH["an error"]
    before = len(first.requests)
    assert coordinator.predict({"instances": ROWS[:1]}).status == 502
    assert len(first.requests) - before == 1


def test_an_open_circuit_spares_the_member_until_it_recovers(two: tuple[Member, Member, Server]) -> None:
    """After five failures it is not called; a probe finds that it works again."""
    first, _, coordinator = two
    good, first.behaviour = first.behaviour, RUBBISH["an error"]
    for _ in range(5):
        assert coordinator.predict({"instances": ROWS[:1]}).status == 502
    before = len(first.requests)
    answer = coordinator.predict({"instances": ROWS[:1]})
    assert (answer.status, answer.json()["error"]["detail"]["cause"]) == (502, "circuit_open")
    assert len(first.requests) == before
    first.behaviour = good
    within(lambda: coordinator.predict({"instances": ROWS[:1]}).status == 200)


def test_what_a_member_refuses_is_the_clients_fault(two: tuple[Member, Member, Server]) -> None:
    """400 with the member's own words; the circuit stays closed."""
    first, _, coordinator = two
    first.behaviour = lambda handler, _rows: handler.reply(400, b'{"error": "row 0: too large"}')
    for _ in range(7):
        answer = coordinator.predict({"instances": ROWS[:1]})
        assert answer.status == 400
        assert "member first: row 0: too large" in answer.json()["error"]["message"]


def test_a_failure_ends_the_calls_of_the_others(coordinate: Coordinate) -> None:
    """The first failure of a required member is the answer; the slow one is not waited for."""
    with member(constant(1, 0, 0)) as broken, member(constant(0, 1, 0)) as patient:
        coordinator = coordinate([entry("broken", broken.url), entry("patient", patient.url)])
        broken.behaviour, patient.behaviour = RUBBISH["an error"], slow(20, constant(0, 1, 0))
        began = time.monotonic()
        assert coordinator.predict({"instances": ROWS[:1]}).status == 502
        assert time.monotonic() - began < 10


def test_readiness_follows_the_required_members(two: tuple[Member, Member, Server]) -> None:
    """Not that of optional ones; health routes call no member."""
    first, second, coordinator = two
    second.healthy = False
    first.healthy = False
    answer = coordinator.until("/ready", 503)
    assert "member first is not ready" in answer.json()["error"]["message"]
    first.healthy = True
    coordinator.until("/ready", 200)
    assert coordinator.request("GET", "/livez").status == 200


def test_it_waits_for_its_members_at_the_start(coordinate: Coordinate) -> None:
    """Until a required member is ready, requests are 503."""
    with member(constant(1, 0, 0)) as late:
        late.healthy = False
        coordinator = coordinate([entry("late", late.url)], ready=False)
        coordinator.until("/livez", 200)
        assert coordinator.until("/ready", 503).code == "not_ready"
        assert coordinator.predict({"instances": ROWS[:1]}).status == 503
        late.healthy = True
        coordinator.until("/ready", 200)
        assert ask(coordinator, ROWS[:1])["predictions"] == [[1, 0, 0]]


def test_it_stops_in_order(two: tuple[Member, Member, Server]) -> None:
    """SIGTERM: the running request is answered, and the exit code is 0."""
    first, _, coordinator = two
    first.behaviour = slow(0.5, constant(1, 0, 0))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, coordinator, ROWS[:1])
        within(lambda: coordinator.metric("mlpack_queue_rows") == 1)
        assert coordinator.stop() == 0
        assert waiting.result() == {"predictions": [[0.25, 0.75, 0]]}


def test_rows_stay_with_their_call_when_large_and_small_ones_meet(real: Any, coordinate: Coordinate) -> None:
    """A call larger than a batch is not split, because its parts could end in another order."""
    fitted, servers = real
    coordinator = coordinate([entry("linear", at(servers["linear"]))], settings="batch=Batch(max_rows=4)")
    rows = load_iris().data
    wanted = fitted["linear"].predict_proba(rows)
    calls = [(start, start + (30 if start % 4 == 0 else 1)) for start in range(100)]
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(lambda call: ask(coordinator, rows[slice(*call)].tolist())["predictions"], calls)
        for call, predictions in zip(calls, found, strict=True):
            assert np.allclose(predictions, wanted[slice(*call)], rtol=1e-12)


def test_an_optional_member_that_refuses_what_others_accept_is_missing(coordinate: Coordinate) -> None:
    """As one that was replaced by another version; where all refuse, the request is wrong."""

    def refuse(handler: Handler, _rows: int) -> None:
        handler.reply(400, b'{"error": "5 columns, please"}')

    with member(constant(1, 0, 0)) as first, member(refuse) as other:
        coordinator = coordinate([entry("first", first.url), entry("other", other.url, required=False)])
        assert coordinator.predict({"instances": ROWS}).json()["missing"] == ["other"]
    with member(refuse) as one, member(refuse) as two:
        members = [entry("one", one.url, required=False), entry("two", two.url, required=False)]
        answer = coordinate(members).predict({"instances": ROWS})
        assert answer.status == 400
        assert "5 columns, please" in answer.json()["error"]["message"]


def test_a_request_that_ends_its_member_is_not_sent_again_and_again(two: Any) -> None:
    """Once, because the connection may have been an idle one."""
    first, _, coordinator = two
    before = len(first.requests)
    first.behaviour = lambda handler, _rows: handler.say(b"")
    answer = coordinator.predict({"instances": ROWS})
    assert (answer.status, answer.json()["error"]["detail"]) == (502, {"member": "first", "cause": "connection_lost"})
    assert len(first.requests) - before == 2


def test_a_setting_of_workers_is_told_to_have_no_effect(coordinate: Coordinate) -> None:
    """A coordinator has one process, which watches its members."""
    with member(constant(1, 0, 0)) as first:
        coordinator = coordinate([entry("first", first.url)], settings="workers=2")
        assert ask(coordinator)["predictions"]
        assert "has one worker" in coordinator.text()
