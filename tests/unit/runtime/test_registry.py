"""The registry of models: what a name and a version find, and that contracts see a change of it at the next request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlpack.runtime.errors import UnknownModelError, UnknownVersionError
from mlpack.runtime.models.registry import ModelRegistry
from mlpack.runtime.protocols import all_routes
from mlpack.runtime.telemetry.metrics import Metrics
from tests.unit.runtime.services import SETTINGS, Client, loaded, rows, serving, tensor


@pytest.fixture
def registry() -> ModelRegistry:
    return ModelRegistry(Metrics())


@pytest.fixture
def client(registry: ModelRegistry) -> Iterator[Client]:
    """A server of all contracts, made while the registry has one model: `sums`, version 1."""
    registry.add(loaded("sums", "1"))
    with serving(all_routes(registry, SETTINGS)) as made:
        yield made


def test_names_and_versions_find_entries(registry: ModelRegistry) -> None:
    """No name is the first model, no version the newest of it; what is not there is named with what is."""
    with pytest.raises(UnknownModelError, match="no model"):
        registry.get()
    old, new, other = (loaded(name, version, started=False) for name, version in (("a", "1"), ("a", "2"), ("b", None)))
    for entry in (old, new, other):
        registry.add(entry)
    assert registry.get() is registry.get("a") is registry.get("a", "2") is new
    assert registry.get("a", "1") is old
    assert registry.get("b") is registry.get("b", "1") is other
    assert registry.list() == [old, new, other]
    with pytest.raises(UnknownModelError, match='no model "c"; this server has a, b'):
        registry.get("c")
    with pytest.raises(UnknownVersionError, match='a has no version "3"; it has 1, 2'):
        registry.get("a", "3")
    registry.remove(new)
    assert registry.get() is registry.get("a") is old


def test_an_entry_of_the_same_name_and_version_is_replaced(registry: ModelRegistry) -> None:
    """A model that is added again takes the place of the one before it."""
    first, second = (loaded("a", "1", factor=factor, started=False) for factor in (1.0, 2.0))
    registry.add(first)
    registry.add(second)
    assert registry.list() == [second]
    assert registry.get("a", "1") is second


def test_a_replacement_keeps_its_place(registry: ModelRegistry) -> None:
    """The default model and the newest version stay what they were; removing what was replaced removes nothing."""
    old, newest, other = (
        loaded(name, version, started=False) for name, version in (("a", "1"), ("a", "2"), ("b", "1"))
    )
    for entry in (old, newest, other):
        registry.add(entry)
    again = loaded("a", "1", started=False)
    registry.add(again)
    registry.remove(old)
    assert registry.list() == [again, newest, other]
    assert registry.get() is registry.get("a") is newest
    assert registry.get("a", "1") is again


def test_readiness_is_that_of_all_models_or_of_one(registry: ModelRegistry) -> None:
    """The server is ready when all its models are; each model is by itself; none is while the server stops."""
    assert registry.why_not_ready() == "no model is loaded"
    ready, loading = loaded("a", "1"), loaded("b", "1", started=False)
    registry.add(ready)
    assert registry.why_not_ready() == ""
    registry.add(loading)
    assert registry.why_not_ready() == registry.why_not_ready(loading) == "the model is loading"
    assert registry.why_not_ready(ready) == ""
    registry.draining = True
    assert registry.why_not_ready(ready) == "the server is shutting down"


def test_a_second_model_is_served_as_soon_as_it_is_added(registry: ModelRegistry, client: Client) -> None:
    """Every route that names a model finds the new one; the routes that name none keep the first."""
    assert client.post("/v2/models/triple/infer", tensor([1, 2])).status == 404
    registry.add(loaded("triple", "7", factor=3.0))
    answer = client.post("/v2/models/triple/infer", tensor([1, 2])).json()
    assert (answer["model_name"], answer["model_version"], answer["outputs"][0]["data"]) == ("triple", "7", [9.0])
    assert client.post("/v2/models/triple/versions/7/infer", tensor([1, 2])).status == 200
    assert client.post("/v1/models/triple:predict", rows([1, 2])).json() == {"predictions": [9.0]}
    assert client.post("/v1/models/triple/versions/7:predict", rows([1, 2])).json() == {"predictions": [9.0]}
    assert client.post("/v1/models/triple/versions/8:predict", rows([1, 2])).status == 404
    assert client.post("/predictions/triple", rows([1, 2])).json() == {"predictions": [9.0]}
    for path in ("/predict", "/invocations", "/predictions/sums/1", "/v1/models/sums:predict"):
        assert client.post(path, rows([1, 2])).json() == {"predictions": [3.0]}, path
    assert client.post("/score", {"data": [[1, 2]]}).json() == [3.0]
    assert client.get("/v1/models").json() == client.get("/v2/models").json() == {"models": ["sums", "triple"]}
    assert [one["name"] for one in client.post("/v2/repository/index").json()] == ["sums", "triple"]
    for path in ("/v2/models/triple", "/v2/models/triple/ready", "/v1/models/triple", "/v2/models/triple/config"):
        assert client.get(path).json()["name"] == "triple", path
    assert client.get("/v1/models/triple/metadata").json()["model_spec"]["version"] == "7"
    assert b'mlpack_model_info{model="triple"} 1' in client.get("/metrics").body
    assert client.get("/").json()["name"] == "sums"


def test_a_new_version_is_served_beside_the_old_one(registry: ModelRegistry, client: Client) -> None:
    """A path without a version has the newest; each version answers under its own; a removed one is gone."""
    old = registry.get()
    registry.add(loaded("sums", "2", factor=10.0))
    answers = {
        path: client.post(f"/v1/models/sums{path}:predict", rows([1, 2])).json()
        for path in ("", "/versions/1", "/versions/2", "/versions/0", "/labels/latest")
    }
    assert {path: answer["predictions"] for path, answer in answers.items()} == {
        "": [30.0], "/versions/1": [3.0], "/versions/2": [30.0], "/versions/0": [30.0], "/labels/latest": [30.0],
    }  # fmt: skip
    assert client.get("/v2/models/sums").json()["versions"] == ["1", "2"]
    registry.remove(old)
    assert client.post("/v2/models/sums/versions/1/infer", tensor([1, 2])).status == 404
    assert client.post("/v2/models/sums/infer", tensor([1, 2])).json()["outputs"][0]["data"] == [30.0]


def test_a_model_that_loads_does_not_keep_others_from_answering(registry: ModelRegistry, client: Client) -> None:
    """It is 503 by its own name, and makes the server not ready."""
    registry.add(loaded("late", "1", started=False))
    assert client.post("/v1/models/late:predict", rows([1, 2])).status == 503
    assert client.get("/v2/models/late/ready").status == client.get("/ready").status == 503
    assert client.get("/v1/models/late").json()["model_version_status"][0]["state"] == "LOADING"
    assert client.get("/v2/models/sums/ready").status == 200
    assert client.post("/v1/models/sums:predict", rows([1, 2])).status == 200
