"""What a log line says of values: JSON that tells shape, range, gaps and classes, of few values and of many."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from mlpack.runtime.card import Signature
from mlpack.runtime.telemetry.summaries import of_inputs, of_outputs


def signature(layout: str, method: str = "predict", classes: Any = None) -> Signature:
    return Signature.from_json({
        "name": method, "method": method, "layout": layout, "classes": classes,
        "inputs": [{"name": "input", "dtype": "FP64", "shape": [-1, 2]}], "outputs": [],
    })  # fmt: skip


MATRIX = signature("matrix")
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("times", [1, 100])
@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([1.2345, -7.0], {"range": [-7.0, 1.23]}),
        ([123456.0, 0.000012345], {"range": [1.23e-05, 123000.0]}),
        ([NAN, 2.0], {"range": [2.0, 2.0], "missing": 1}),
        ([INF, -2.0], {"range": [-2.0, -2.0]}),
        ([INF, -INF], {}),
        ([NAN, NAN], {"missing": 2}),
        ([1e308, 1e308], {"range": [1e308, 1e308]}),
    ],
)
def test_numbers(row: list[float], told: dict[str, Any], times: int) -> None:
    """The range is of the finite ones; NaN is missing, infinity is neither."""
    inputs = {"input": np.array([row] * times)}
    expected = {"shape": [times, 2], **told}
    if "missing" in expected:
        expected["missing"] *= times
    assert json.loads(of_inputs(MATRIX, inputs)) == expected


def test_other_kinds() -> None:
    """Integers have a range, texts only gaps, and no values nothing."""
    assert json.loads(of_inputs(MATRIX, {"input": np.array([[3, 5]])})) == {"shape": [1, 2], "range": [3, 5]}
    texts = np.array(["a", None], dtype=object)
    assert json.loads(of_inputs(MATRIX, {"input": texts})) == {"shape": [2], "missing": 1}
    assert json.loads(of_inputs(MATRIX, {"input": np.zeros((0, 2))})) == {"shape": [0, 2]}
    assert json.loads(of_inputs(MATRIX, {"input": np.array([True])})) == {"shape": [1]}


def test_columns_are_one_table() -> None:
    """Rows by columns, the range of all of them, the gaps of all of them."""
    columns = {"a": np.array([1.0, NAN]), "b": np.array(["x", None], dtype=object), "c": np.array([7, 8])}
    told = json.loads(of_inputs(signature("columns"), columns))
    assert told == {"shape": [2, 3], "range": [1, 8], "missing": 2}


def test_several_tensors_have_names() -> None:
    """Eight at most are told."""
    told = json.loads(of_inputs(signature("tensors"), {f'a "{n}"': np.zeros((1, n)) for n in range(20)}))
    assert [one["name"] for one in told["tensors"]] == [f'a "{n}"' for n in range(8)]


def test_classes_are_counted() -> None:
    """By the text of each label, the most frequent first, twenty at most; other outputs are tensors."""
    labels = signature("matrix", classes=["x", 'y"'])
    assert json.loads(of_outputs(labels, {"label": np.array(['y"'], dtype=object)})) == {
        "shape": [1],
        "classes": {'y"': 1},
    }
    assert json.loads(of_outputs(labels, {"label": np.array([1, 0, 1])}))["classes"] == {"1": 2, "0": 1}
    many = json.loads(of_outputs(labels, {"label": np.arange(50)}))
    assert len(many["classes"]) == 20
    proba = of_outputs(signature("matrix", "predict_proba", ["x"]), {"p": np.array([[0.25, 0.75]])})
    assert json.loads(proba) == {"shape": [1, 2], "range": [0.25, 0.75]}
