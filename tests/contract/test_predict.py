"""Answers are the model's own, for every layout and every way to write a row."""

from __future__ import annotations

import json
import math
import random
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from mlpack.artifacts.model import Signature, TensorSpec
from tests.contract import models, scripted
from tests.contract.conftest import Serve
from tests.contract.served import Server, assemble, started


def test_lists_named_records_and_one_row_give_the_models_own_labels(iris: Server) -> None:
    """Every way to write a row gives what the model said where it was made."""
    model, _, frame = models.iris()
    rows = frame.iloc[::7]
    wanted = model.predict(rows).tolist()
    records = rows.to_dict("records")
    shuffled = [dict(random.Random(1).sample(list(record.items()), 4)) for record in records]
    assert iris.predict({"instances": rows.to_numpy().tolist()}).json() == {"predictions": wanted}
    assert iris.predict({"instances": shuffled}).json() == {"predictions": wanted}
    assert iris.predict({"features": rows.iloc[3].tolist()}).json() == {"predictions": wanted[3:4]}
    assert iris.predict({"features": records[3]}).json() == {"predictions": wanted[3:4]}


def test_method_picks_another_signature_to_the_last_digit(iris: Server) -> None:
    """Probabilities come back as exactly the doubles that the model computes."""
    model, _, frame = models.iris()
    rows = frame.iloc[:20]
    answer = iris.predict({"instances": rows.to_numpy().tolist()}, method="predict_proba").json()
    assert answer["predictions"] == model.predict_proba(rows).tolist()


def test_mixed_columns_and_missing_values(houses: Server) -> None:
    """In JSON null is a missing value in float and text columns, as NaN was in the training table."""
    model, _, frame = models.houses()
    rows = frame.iloc[:60]
    assert rows["area"].isna().any()
    assert rows["city"].isna().any()
    records = json.loads(rows.to_json(orient="records", double_precision=15))
    answer = houses.predict({"instances": records}).json()["predictions"]
    np.testing.assert_allclose(answer, model.predict(rows), rtol=1e-12)
    lists = [list(record.values()) for record in records]
    assert houses.predict({"instances": lists}).json()["predictions"] == answer


def test_an_unknown_category_is_the_clients_fault(houses: Server) -> None:
    """A value that the encoder refuses is 400 and says so; the model's trace is not told."""
    answer = houses.predict({"instances": [{"area": 50, "rooms": 2, "city": "Atlantis", "garden": True}]})
    assert (answer.status, answer.code) == (400, "bad_input")
    assert "Atlantis" in answer.json()["error"]["message"]


def test_a_gap_that_the_model_cannot_fill_is_the_clients_fault(iris: Server) -> None:
    """A model without an imputer refuses NaN: 400, not 500."""
    answer = iris.predict({"instances": [[5.1, None, 1.4, 0.2]]})
    assert (answer.status, answer.code) == (400, "bad_input")
    assert "NaN" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {"instances": ["win money", "lunch"]},
        {"instances": [["win money"], ["lunch"]]},
        {"instances": [{"text": "win money"}, {"text": "lunch"}]},
    ],
)
def test_text(spam: Server, body: Any) -> None:
    """A model of one text a row takes bare strings, lists of one, and records."""
    assert spam.predict(body).json() == {"predictions": ["spam", "ham"]}


@pytest.mark.parametrize("features", ["win money", ["win money"], {"text": "win money"}])
def test_one_text(spam: Server, features: Any) -> None:
    """The one-row form takes the same."""
    assert spam.predict({"features": features}).json() == {"predictions": ["spam"]}


def test_many_clients_at_once_get_their_own_answers(iris: Server) -> None:
    """Under 100 parallel clients every answer belongs to its question."""
    model, _, frame = models.iris()
    rows = frame.to_numpy().tolist()
    wanted = [model.predict_proba(frame.iloc[[place]]).tolist() for place in range(len(rows))]

    def ask(number: int) -> bool:
        place = number % len(rows)
        answer = iris.predict({"instances": [rows[place]]}, method="predict_proba")
        return bool(answer.json()["predictions"] == wanted[place])

    with ThreadPoolExecutor(100) as pool:
        assert all(pool.map(ask, range(600)))


def test_what_json_cannot_say_is_null(serve: Serve) -> None:
    """NaN and infinity in an answer are null; bytes are text; several outputs are objects."""
    server = serve(**scripted.APP)
    assert server.predict({"instances": [[6, 1], [6, 1], [6, 1]]}).body == b'{"predictions":[1.0,null,null]}'
    assert server.predict({"instances": [[7, 2]]}).json() == {"predictions": [{"label": "yes", "score": 2.0}]}


def test_a_named_matrix_warns_of_nothing(iris: Server) -> None:
    """An array for a model that saw names gives the same values, and no warning for each request in the log."""
    model, _, frame = models.iris()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(model.predict_proba(frame.to_numpy()), model.predict_proba(frame))
    iris.predict({"instances": [[1, 2, 3, 4]]})
    assert "feature names" not in iris.text()


ALL = {
    "BOOL": (True, False), "INT8": (-128, 127), "INT16": (-(2**15), 2**15 - 1), "INT32": (-(2**31), 2**31 - 1),
    "INT64": (-(2**63), 2**63 - 1), "UINT8": (0, 255), "UINT16": (0, 65535), "UINT32": (0, 2**32 - 1),
    "UINT64": (0, 2**64 - 1), "FP16": (0.5, -2.0), "FP32": (0.25, 3.0e38), "FP64": (1e-300, 1.7e308),
    "BYTES": ("", "Å\u0000\U0001f600"),
}  # fmt: skip
ECHO = "def load(path, options, guard):\n    return None\n\n\ndef predict(model, signature, inputs):\n    return dict(inputs)\n"


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Any:
    specs = tuple(TensorSpec(name=dtype, dtype=dtype, shape=(-1,)) for dtype in ALL)
    nested = (
        TensorSpec(name="image", dtype="FP32", shape=(-1, 2, -1)),
        TensorSpec(name="id", dtype="INT64", shape=(-1,)),
    )
    signatures = (
        Signature(name="all", method="all", inputs=specs, outputs=specs, layout="columns"),
        Signature(name="nested", method="nested", inputs=nested, outputs=nested, layout="tensors"),
    )
    folder = assemble(tmp_path_factory.mktemp("echo") / "app", model=b"x", signatures=signatures, loader=ECHO)
    with started(folder) as server:
        yield server


def test_every_dtype_arrives_whole(echo: Server) -> None:
    """The least and the greatest value of every dtype come through unchanged."""
    rows = [dict(zip(ALL, values, strict=True)) for values in zip(*ALL.values(), strict=True)]
    for sent, got in zip(rows, echo.predict({"instances": rows}).json()["predictions"], strict=True):
        assert got.pop("FP32") == float(np.float32(sent.pop("FP32")))
        assert got == sent


@pytest.mark.parametrize(
    ("dtype", "bad"),
    [
        ("BOOL", 2), ("BOOL", "true"), ("BOOL", None), ("INT8", 128), ("INT8", -129), ("INT64", 2**63), ("INT64", 1.5),
        ("INT64", "1"), ("INT64", None), ("UINT8", -1), ("UINT64", -1), ("UINT64", 2**64), ("FP16", 1e5),
        ("FP32", 1e39), ("FP64", 10**400), ("FP64", "1.0"), ("FP64", [1.0]), ("BYTES", 1), ("BYTES", {}),
        ("BYTES", ["a"]), ("UINT32", 1e30), ("INT32", -(10**300)),
    ],
)  # fmt: skip
def test_a_value_of_another_dtype_is_named(echo: Server, dtype: str, bad: Any) -> None:
    """400 names row and column, and is never a bent value."""
    good = dict(zip(ALL, (values[0] for values in ALL.values()), strict=True))
    answer = echo.predict({"instances": [good, {**good, dtype: bad}]})
    assert (answer.status, answer.code) == (400, "bad_input")
    problem = answer.json()["error"]["detail"]["problems"][0]
    assert (problem["row"], problem["column"]) == (1, dtype)


def test_whole_floats_are_integers_and_gaps_stay_gaps(echo: Server) -> None:
    """5.0 fits INT64; null fits floats and texts."""
    good: dict[str, Any] = dict(zip(ALL, (values[0] for values in ALL.values()), strict=True))
    row = {**good, "INT64": 5.0, "FP64": None, "BYTES": None}
    got = echo.predict({"features": row}).json()["predictions"][0]
    assert (got["INT64"], got["FP64"], got["BYTES"]) == (5, None, None)
    assert not isinstance(got["INT64"], float)
    assert math.isclose(got["FP16"], 0.5)


def test_booleans_are_numbers_in_a_table(echo: Server) -> None:
    """As in pandas, true is 1 in every column of numbers, and 1 is true; a tensor beside tables is strict."""
    good: dict[str, Any] = dict(zip(ALL, (values[0] for values in ALL.values()), strict=True))
    got = echo.predict({"features": {**good, "INT64": True, "FP64": False, "BOOL": 1}}).json()["predictions"][0]
    assert (got["INT64"], got["FP64"], got["BOOL"]) == (1, 0.0, True)
    answer = echo.predict({"instances": [{"image": [[1], [2]], "id": True}]}, method="nested")
    assert (answer.status, answer.code) == (400, "bad_input")


def test_nested_tensors(echo: Server) -> None:
    """Tensors of more axes keep their shape; ragged ones and wrong sizes are told."""
    row = {"image": [[1, 2, 3], [4, 5, 6]], "id": 9}
    assert echo.predict({"instances": [row]}, method="nested").json() == {"predictions": [row]}
    wrong: list[Any] = [[[1, 2], [3]], [[1, 2]], [[], []], [1, 2], [["a", 1], [1, 1]], 5, [[[1]], [[2]]]]
    for image in wrong:
        answer = echo.predict({"instances": [{"image": image, "id": 1}]}, method="nested")
        assert (answer.status, answer.code) == (400, "bad_input"), image
