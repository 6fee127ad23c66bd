"""One model gives the same numbers through every contract."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.contract import models
from tests.contract.served import Server, assemble, started
from tests.contract.speakers import SPEAKERS, comma, name_of, npy, posted
from tests.contract.triton import infer

WITH_TABLES = {**SPEAKERS, "sagemaker csv": comma}


def iris_rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = models.iris()[2].iloc[::13].to_dict("records")
    return rows


def house_rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(models.houses()[2].iloc[:40].to_json(orient="records", double_precision=15))
    assert any(row["area"] is None for row in rows)
    assert any(row["city"] is None for row in rows)
    return rows


@pytest.mark.parametrize("name", [*WITH_TABLES, "sagemaker npy", "v2 json", "v2 binary", "v2 columns"])
def test_a_matrix(iris: Server, name: str) -> None:
    """A classifier on a named matrix gives its own labels, whoever asks."""
    rows = iris_rows()
    wanted = models.iris()[0].predict(models.iris()[2].iloc[::13]).tolist()
    if name.startswith("v2"):
        assert infer(iris, models.iris()[1][0], rows, how=name)[0].tolist() == wanted
        return
    speaker = npy if name == "sagemaker npy" else WITH_TABLES[name]
    assert speaker(iris, rows) == wanted


@pytest.mark.parametrize("name", [*WITH_TABLES, "v2 json", "v2 binary"])
def test_mixed_columns_with_texts_and_gaps(houses: Server, name: str) -> None:
    """A regressor on numbers, texts and booleans gives bit for bit the same doubles, whoever asks."""
    rows = house_rows()
    wanted = models.houses()[0].predict(models.houses()[2].iloc[:40]).tolist()
    if name.startswith("v2"):
        rows = [row for row in rows if row["city"] is not None]  # that contract has no missing text
        wanted = SPEAKERS["own instances"](houses, rows)
        assert infer(houses, models.houses()[1][0], rows, how=name)[0].tolist() == wanted
        return
    assert WITH_TABLES[name](houses, rows) == pytest.approx(wanted, rel=1e-12)
    if name != "own features":  # asked row by row, where sums are added up in another order
        assert WITH_TABLES[name](houses, rows) == SPEAKERS["own instances"](houses, rows)


@pytest.mark.parametrize("name", [*SPEAKERS, "v2 json", "v2 binary"])
def test_named_tensors(pair: Server, name: str) -> None:
    """Two tensors in, two outputs out, floats and texts: the same, whoever asks."""
    rows = models.pair_rows()
    wanted = models.pair_answer(rows)
    if name.startswith("v2"):
        scores, labels = infer(pair, models.PAIR, rows, how=name)
        found = [{"scores": score.tolist(), "label": label} for score, label in zip(scores, labels, strict=True)]
        assert found == wanted
        return
    assert SPEAKERS[name](pair, rows) == wanted


def test_tensors_of_a_model_that_takes_one_row_at_a_time(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where the model takes one row a call, several rows a request are answered all the same, whoever asks."""
    signature = replace(models.PAIR, batch="one")
    folder = assemble(
        tmp_path_factory.mktemp("one") / "app", model=b"x", signatures=(signature,), loader=models.PAIR_LOADER
    )
    rows = models.pair_rows()
    wanted = models.pair_answer(rows)
    with started(folder) as server:
        for name in ("own instances", "own columns", "tfs inputs", "mlflow split", "sagemaker lines"):
            assert SPEAKERS[name](server, rows) == wanted, name
        for how in ("v2 json", "v2 binary"):
            scores, labels = infer(server, signature, rows, how=how)
            assert scores.tolist() == [row["scores"] for row in wanted]
            assert labels == [row["label"] for row in wanted]


def test_vertex_on_a_route_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Vertex AI's own routes, port and parameters give the same labels and probabilities."""
    model, signatures, frame = models.iris()
    folder = assemble(
        tmp_path_factory.mktemp("vertex") / "app", model=models.pickled(model), signatures=signatures, name="iris"
    )
    env = {"AIP_MODE": "PREDICTION", "AIP_HEALTH_ROUTE": "/up", "AIP_PREDICT_ROUTE": "ask/it"}
    rows = frame.iloc[::13]
    with started(folder, env=env) as server:
        assert server.request("GET", "/up").status == 200
        body: Mapping[str, Any] = {"instances": rows.to_numpy().tolist()}
        assert posted(server, "/ask/it", body).json() == {"predictions": model.predict(rows).tolist()}
        asked = posted(server, "/ask/it", {**body, "parameters": {"method": "predict_proba"}})
        assert asked.json()["predictions"] == model.predict_proba(rows).tolist()
        assert name_of(server) == "iris"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict?method=predict_proba", {"instances": [[5.1, 3.5, 1.4, 0.2]]}),
        ("/predict", {"instances": [[5.1, 3.5, 1.4, 0.2]], "parameters": {"method": "predict_proba"}}),
        ("/invocations", {"inputs": [[5.1, 3.5, 1.4, 0.2]], "params": {"method": "predict_proba"}}),
        ("/invocations?method=predict_proba", {"dataframe_split": {"data": [[5.1, 3.5, 1.4, 0.2]]}}),
        ("/v1/models/test:predict", {"instances": [[5.1, 3.5, 1.4, 0.2]], "signature_name": "predict_proba"}),
        (
            "/v1/models/test:predict",
            {"instances": [{"input": [5.1, 3.5, 1.4, 0.2]}], "signature_name": "predict_proba"},
        ),
        ("/v1/models/test:predict", {"inputs": {"input": [[5.1, 3.5, 1.4, 0.2]]}, "signature_name": "predict_proba"}),
        ("/score", {"data": [[5.1, 3.5, 1.4, 0.2]], "parameters": {"method": "predict_proba"}}),
        ("/predictions/test/1", {"features": [5.1, 3.5, 1.4, 0.2], "parameters": {"method": "predict_proba"}}),
    ],
)
def test_every_contract_reaches_every_method(iris: Server, path: str, body: Any) -> None:
    """Probabilities through the contract's own way to choose: exactly the model's doubles."""
    model, _, frame = models.iris()
    wanted = model.predict_proba(frame.iloc[:1]).tolist()
    answer = posted(iris, path, body).json()
    found = answer if isinstance(answer, list) else answer.get("predictions", answer.get("outputs"))
    assert found == wanted
