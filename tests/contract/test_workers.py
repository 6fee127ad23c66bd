"""Several worker processes behind one port: shared, honest, replaced, ended together; and what a kill -9 costs."""

from __future__ import annotations

import http.client
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.contract import models, scripted
from tests.contract.conftest import Serve
from tests.contract.served import PATIENCE_S, Server, within

WHO = (
    scripted.LOADER
    + "\n\nimport os\n_predict = predict\n\n\ndef predict(model, signature, inputs):\n    answer = _predict(model, signature, inputs)\n    return answer if inputs['input'][0][0] != 9 else {'predict': np.full(len(inputs['input']), os.getpid())}\n"
)
SHARING = "SHARED_BY_FORKS = True\n" + WHO
APP: dict[str, Any] = {**scripted.APP, "loader": WHO}


def children(server: Server) -> list[int]:
    text = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(one) for one in text.split()]


def askers(server: Server) -> list[int]:
    """The processes that answer, one for each of 64 requests."""
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(server.predict, {"instances": [[9, 0]]}) for _ in range(64)]
        return [int(one.result().json()["predictions"][0]) for one in answers]


def until_two_answer(server: Server) -> list[int]:
    """Ask until two processes have answered, and those at the door have gone; who answered each of all these requests."""
    answered: list[int] = []

    def both() -> bool:
        answered.extend(askers(server))
        return len(set(answered)) == 2

    within(both, server.text)
    within(lambda: len(children(server)) == 2, server.text)
    return answered


@pytest.mark.parametrize("loader", [WHO, SHARING], ids=["each its own", "shared"])
def test_all_workers_answer(serve: Serve, loader: str) -> None:
    """Every worker answers, none of them the parent; /metrics tells the sum; SIGTERM ends all with 0."""
    server = serve(**{**scripted.APP, "loader": loader}, settings="workers=2")
    answered = until_two_answer(server)
    assert set(answered) == set(children(server))
    for _ in range(6):
        server.predict({"instances": [[0, 1]]})
    within(
        lambda: counted(server) >= len(answered) + 6, server.text
    )  # one tells what another will have counted in a moment
    assert counted(server) == len(answered) + 6
    family = children(server)
    assert server.stop() == 0
    assert not [pid for pid in family if Path(f"/proc/{pid}").exists()]
    loads = [line for line in server.log() if line["message"] == "a model that prints while it loads"]
    assert len(loads) == (1 if loader == SHARING else 2)


def counted(server: Server) -> int:
    text = server.request("GET", "/metrics").body.decode()
    return int(next(line for line in text.splitlines() if 'route="/predict",status="200"' in line).rsplit(" ", 1)[1])


LARGE = (
    SHARING
    + "\n\nimport numpy\n_load = load\n\n\ndef load(path, options, guard):\n    return _load(path, options, guard), numpy.ones(16 << 20)\n"
)


def test_the_memory_of_a_model_is_there_once(serve: Serve) -> None:
    """Of a model of 128 MB two workers that have answered hold next to nothing of their own."""
    loader = LARGE.replace("_predict(model,", "_predict(model[0],")
    server = serve(**{**scripted.APP, "loader": loader}, settings="workers=2")
    until_two_answer(server)
    for pid in children(server):
        told = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        assert int(told["Private_Dirty"].split()[0]) < 48 << 10, pid  # kB
        assert int(told["Rss"].split()[0]) > 128 << 10, pid
    assert 128 << 20 < memory(server) < 256 << 20  # and /metrics, though three processes have it, tells it once


def memory(server: Server) -> float:
    """Bytes of the whole service, as it tells them itself."""
    text = server.request("GET", "/metrics").body.decode()
    return float(text.partition("\nprocess_resident_memory_bytes ")[2].split()[0])


def test_a_real_model_is_shared(serve: Serve) -> None:
    """A scikit-learn model is loaded once, and both workers' answers are its own."""
    model, signatures, frame = models.iris()
    server = serve(model=models.pickled(model), signatures=signatures, settings="workers=2")
    rows = frame.iloc[::5]
    for _ in range(20):
        answer = server.predict({"instances": rows.to_numpy().tolist()}, method="predict_proba").json()
        np.testing.assert_allclose(answer["predictions"], model.predict_proba(rows), rtol=1e-9)
    assert server.stop() == 0


@pytest.mark.parametrize("loader", [WHO, SHARING], ids=["each its own", "shared"])
def test_it_is_alive_but_not_ready_while_they_load(serve: Serve, loader: str) -> None:
    """While the model loads somebody stands at the door: /livez 200, /ready 503; then only ready workers answer."""
    server = serve(
        **{**scripted.APP, "loader": loader}, options={"load_until": "loaded"}, settings="workers=2", ready=False
    )
    server.until("/livez", 200)
    assert server.request("GET", "/ready").status == 503
    assert server.predict({"instances": [[0, 1]]}).code == "not_ready"
    (server.folder / "loaded").touch()
    server.until("/ready", 200)
    within(lambda: len(children(server)) == 2, server.text)
    for _ in range(30):
        assert server.request("GET", "/ready").status == 200


@pytest.mark.parametrize("loader", [WHO, SHARING], ids=["each its own", "shared"])
def test_a_model_that_cannot_be_loaded_ends_them_all(serve: Serve, loader: str) -> None:
    """Exit 1, the reason in the log, nobody left behind."""
    app = {**scripted.APP, "loader": loader}
    server = serve(**app, options={"load_error": "this file is rotten"}, settings="workers=2", ready=False)
    assert server.ended() == 1
    assert "this file is rotten" in server.text()


def test_a_killed_worker_costs_what_it_was_answering_and_is_replaced(serve: Serve) -> None:
    """kill -9 of one under load: no wrong answer anywhere, readiness stays, and soon there are two again."""
    server = serve(**APP, settings="workers=2")
    until_two_answer(server)
    stop = threading.Event()
    lost, good = [], [0] * 8

    def ask(number: int) -> None:
        while not stop.is_set():
            try:
                answer = server.predict({"instances": [[0, number]]})
            except (http.client.HTTPException, OSError):  # noqa: PERF203 - that is what is counted
                lost.append(number)
            else:
                assert (answer.status, answer.json()) == (200, {"predictions": [float(number)]})
                good[number] += 1

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask, number) for number in range(8)]
        try:
            within(lambda: min(good) > 5, server.text)
            victim = children(server)[0]
            os.kill(victim, signal.SIGKILL)
            within(lambda: victim not in children(server), server.text)
            for _ in range(10):
                assert server.request("GET", "/ready").status == 200
            within(lambda: len(children(server)) == 2, server.text)
        finally:
            stop.set()
        for one in asking:
            one.result()
    assert len(lost) <= 8  # at most one a client: what the killed one had in hand
    until_two_answer(server)
    assert server.stop() == 0
    assert [line for line in server.log() if line["message"] == "a worker died and is replaced"]


def test_a_kill_costs_only_what_was_in_flight(serve: Serve) -> None:
    """One process, kill -9 under load: every answer until then was right and whole, each client loses one at most."""
    server = serve(**scripted.APP)

    good = [0] * 8

    def ask(number: int) -> int:
        lost = 0
        while server.process.poll() is None:
            try:
                answer = server.predict({"instances": [[0, number]]})
            except ConnectionRefusedError:
                break
            except (http.client.HTTPException, OSError):
                lost += 1
                break
            assert answer.json() == {"predictions": [float(number)]}
            good[number] += 1
        return lost

    with ThreadPoolExecutor(8) as pool:
        asking = [pool.submit(ask, number) for number in range(8)]
        try:
            within(lambda: min(good) > 5, server.text)
        finally:
            server.process.kill()
        assert all(one.result() <= 1 for one in asking)


@pytest.mark.parametrize("settings", ["", "workers=2"])
def test_sigterm_loses_nothing(serve: Serve, settings: str) -> None:
    """Every request that was sent before the port closed is answered, on kept connections too, and the last say `close`."""
    server = serve(**scripted.APP, settings=settings)
    within(lambda: len(children(server)) == (2 if settings else 0), server.text)  # nobody is at the door any more
    body = b'{"instances": [[1, 0.4]]}'
    clients = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S) for _ in range(6)]
    for client in clients:
        client.request("GET", "/livez")
        client.getresponse().read()
    for client in clients:
        client.request("POST", "/predict", body, {"Content-Type": "application/json"})
    server.process.send_signal(signal.SIGTERM)
    for client in clients:
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"predictions":[0.4]}')
        assert answer.headers["connection"] == "close"
        client.close()
    assert server.ended() == 0


def test_two_signals_are_one(serve: Serve) -> None:
    """A second SIGTERM changes nothing."""
    server = serve(**APP, settings="workers=2")
    server.process.send_signal(signal.SIGTERM)
    with suppress(ProcessLookupError):
        server.process.send_signal(signal.SIGTERM)
    assert server.ended() == 0
