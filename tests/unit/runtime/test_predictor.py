"""The interface below the contracts: a call without HTTP, and predictors around predictors."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mlpack.runtime.errors import ModelFailedError, NotReadyError, QueueFullError
from mlpack.runtime.models.predictor import Arrays, Call, Predictor
from mlpack.runtime.models.registry import Entry, ModelRegistry
from mlpack.runtime.protocols import all_routes
from mlpack.runtime.telemetry.logs import Log
from mlpack.runtime.telemetry.metrics import Metrics
from tests.unit.runtime.services import SETTINGS, loaded, loader, rows, serving, tensor

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Retry:
    """A predictor that calls another a second time when the model failed."""

    def __init__(self, inner: Predictor) -> None:
        self._inner = inner
        self.calls: list[Call] = []

    async def predict(self, call: Call) -> Arrays:
        """The outputs of the first try that has some."""
        self.calls.append(call)
        try:
            return await self._inner.predict(call)
        except ModelFailedError:
            return await self._inner.predict(call)


class InTime:
    """A predictor that gives another a second, for which it needs a task."""

    def __init__(self, inner: Predictor) -> None:
        self._inner = inner

    async def predict(self, call: Call) -> Arrays:
        """The outputs of the inner predictor."""
        return await asyncio.wait_for(self._inner.predict(call), 20)


class Flaky:
    """A loader whose model fails at every other run."""

    def __init__(self) -> None:
        self._sound = loader()
        self.load = self._sound.load
        self.runs = 0

    def predict(self, model: Any, signature: Any, inputs: Arrays) -> Arrays:
        """The sums, or a failure."""
        self.runs += 1
        if self.runs % 2:
            raise OSError("try again")
        return self._sound.predict(model, signature, inputs)  # type: ignore[no-any-return]


def test_a_call_knows_nothing_of_http() -> None:
    """A predictor answers a bare call from any task, and says in its timings what the model did."""
    entry = loaded(factor=2.0)

    async def run() -> tuple[Call, Arrays]:
        calls = [Call(entry.card.signatures[0], {"input": np.ones((rows, 2))}) for rows in (1, 3)]
        outputs = await asyncio.gather(*map(entry.predictor.predict, calls))
        return calls[1], outputs[1]

    before = time.perf_counter()
    call, outputs = asyncio.run(run())
    assert outputs["total"].tolist() == [4.0, 4.0, 4.0]
    timings = call.timings
    assert before < timings.arrived <= timings.began <= timings.ended <= time.perf_counter()
    assert timings.batch_rows == 4, "both calls in one run"


def test_a_quality_of_serving_is_a_predictor_around_another(tmp_path: Path) -> None:
    """Every contract calls the outer one, with the request's deadline and trace; the log has the inner one's timings."""
    entry = loaded(load=Flaky())
    retry = Retry(entry.predictor)
    registry = ModelRegistry(Metrics(), Entry(entry.card, retry, entry.state))
    log = Log(os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT))
    before = time.perf_counter()
    with serving(all_routes(registry, SETTINGS), log=log) as client:
        assert client.post("/predict", rows([1, 2]), traceparent=TRACE).json() == {"predictions": [3.0]}
        assert client.post("/v2/models/sums/infer", tensor([1, 2])).status == 200
        assert client.post("/v1/models/sums:predict", rows([1, 2])).json() == {"predictions": [3.0]}
    log.close()
    assert [call.trace for call in retry.calls] == [TRACE, "", ""]
    assert all(0 < call.deadline - before - SETTINGS.deadline_s < 30 for call in retry.calls)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [(line["signature"], line["batch_rows"], line["output"]["shape"]) for line in lines] == [
        ("predict", 1, [1])
    ] * 3
    assert all(line["predict_ms"] > 0 and line["queue_ms"] >= 0 for line in lines)


def test_a_predictor_may_use_what_needs_a_task() -> None:
    """Also where the route runs without one, because the model behind it needs none."""
    entry = loaded()
    registry = ModelRegistry(Metrics(), Entry(entry.card, InTime(entry.predictor), entry.state))
    with serving(all_routes(registry, SETTINGS)) as client:
        assert client.post("/predict", rows([1, 2])).json() == {"predictions": [3.0]}
        assert client.post("/v2/models/sums/infer", tensor([1, 2])).status == 200


def test_a_stopped_model_fails_what_waits() -> None:
    """Calls that wait when it stops, and those that come afterwards, get an error at once."""

    def load(*given: Any) -> Any:
        while not predictor._stopping:
            time.sleep(0.001)
        return loader().load(*given)

    entry = loaded(started=False, load=SimpleNamespace(load=load, predict=loader().predict))
    predictor: Any = entry.predictor

    async def run() -> None:
        call = Call(entry.card.signatures[0], {"input": np.ones((5, 2))})
        waits = asyncio.create_task(predictor.predict(call))
        await asyncio.sleep(0.01)
        predictor.start([], lambda: None)
        assert await asyncio.to_thread(predictor.stop, 30)
        with pytest.raises(NotReadyError, match="stopped"):
            await asyncio.wait_for(waits, 30)
        with pytest.raises(NotReadyError, match="stopped"):
            await predictor.predict(call)
        assert predictor._rows == 0

    asyncio.run(run())


def test_a_refused_call_is_not_kept() -> None:
    """A call for which the queue has no room leaves no inputs in the request, which waits for the log."""
    kept: list[Any] = []

    class Full:
        async def predict(self, call: Call) -> Arrays:  # noqa: ARG002 - it takes none
            raise QueueFullError("full")

    entry = loaded(started=True)
    registry = ModelRegistry(Metrics(), Entry(entry.card, Full(), entry.state))
    routes = all_routes(registry, SETTINGS)

    def noting(handler: Any) -> Any:
        async def noted(request: Any) -> Any:
            try:
                return await handler(request)
            finally:
                kept.append(request.call)

        return noted

    with serving([one._replace(handler=noting(one.handler)) for one in routes]) as client:
        assert client.post("/predict", rows([1, 2])).status == 503
    assert kept == [None]


def test_a_cancelled_call_leaves_the_queue() -> None:
    """Rows of a task that was cancelled are not counted any more, and the model is not run for them."""
    entry = loaded(started=False)
    predictor: Any = entry.predictor

    async def run() -> None:
        task = asyncio.create_task(predictor.predict(Call(entry.card.signatures[0], {"input": np.ones((5, 2))})))
        await asyncio.sleep(0)
        assert predictor._rows == 5
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert predictor._rows == 0

    asyncio.run(run())
