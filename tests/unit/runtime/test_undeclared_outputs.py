"""Outputs of the user's own code, which no file records: asked for by name in Open Inference as declared ones are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mlpack.runtime.models.batching import BatchingPredictor
from mlpack.runtime.models.loaded import LoadedModel
from mlpack.runtime.models.registry import Entry, ModelRegistry
from mlpack.runtime.protocols import all_routes
from mlpack.runtime.telemetry.metrics import Metrics
from tests.unit.runtime.services import SETTINGS, SIGNATURE, card, quiet_log, serving, tensor


def entry(shape: list[Any]) -> Entry:
    described = card(signatures=[{**SIGNATURE, "outputs": [{"name": "output", "dtype": "FP32", "shape": shape}]}])
    loader = SimpleNamespace(
        load=lambda _path, _options, _guard: None,
        predict=lambda _model, _signature, inputs: {"score": inputs["input"], "mid": inputs["input"] * 2},
    )
    log, metrics = quiet_log(), Metrics()
    model = LoadedModel(described, loader, log, metrics)
    predictor = BatchingPredictor(model, SETTINGS, log, metrics)
    predictor.start([], lambda: None)
    assert model.decided.wait(30)
    return Entry(described, predictor, model)


@pytest.mark.parametrize(
    ("shape", "wanted", "status"),
    [([-1, "..."], "mid", 200), ([-1, "..."], "other", 400), ([-1], "mid", 400), ([-1, "..."], None, 200)],
)
def test_an_answered_output_may_be_asked_for(shape: list[Any], wanted: str | None, status: int) -> None:
    """Where the shape of the only declared output is open; a name that is not answered is refused."""
    registry = ModelRegistry(Metrics())
    registry.add(entry(shape))
    with serving(all_routes(registry, SETTINGS)) as client:
        more = {"outputs": [{"name": wanted}]} if wanted else {}
        answer = client.post("/v2/models/sums/infer", {**tensor([1.0, 2.0]), **more})
    assert answer.status == status
    if status == 200:
        assert [one["name"] for one in answer.json()["outputs"]] == ([wanted] if wanted else ["score", "mid"])
