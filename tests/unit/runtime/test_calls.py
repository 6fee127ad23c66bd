"""How a loader is called: with all rows, or row by row, and what is made of its answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlpack.runtime.card import Signature
from mlpack.runtime.models.calls import call


def signature(batch: str, outputs: list[dict[str, Any]]) -> Signature:
    inputs = [{"name": "x", "dtype": "FP32", "shape": [-1, 3]}, {"name": "k", "dtype": "INT64", "shape": [-1]}]
    return Signature.from_json({
        "name": "s", "method": "s", "layout": "tensors", "inputs": inputs, "outputs": outputs, "batch": batch,
    })  # fmt: skip


class Loader:
    """Keeps what it was given; answers a batch of sums, or with no batch axis a sum and as many values as `k` says."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    def predict(self, _model: Any, asked: Signature, inputs: dict[str, Any]) -> dict[str, Any]:
        """What a format's loader has."""
        self.given.append(inputs)
        if asked.batch == "none":
            return {"sum": inputs["x"].sum(), "many": np.ones(int(inputs["k"]))}
        return {"sum": inputs["x"].sum(axis=1, keepdims=True), "many": inputs["x"]}


X, K = np.arange(9, dtype=np.float32).reshape(3, 3), np.array([1, 1, 1])
SUM = {"name": "sum", "dtype": "FP32", "shape": [-1, 1]}
MANY = {"name": "many", "dtype": "FP32", "shape": [-1, 3]}


def test_any_number_of_rows_is_one_call() -> None:
    """The arrays go on as they are, the same objects."""
    loader = Loader()
    call(loader, None, signature("any", [SUM, MANY]), {"x": X, "k": K})
    assert len(loader.given) == 1
    assert loader.given[0]["x"] is X


@pytest.mark.parametrize(
    ("answer", "shape", "wanted"),
    [
        (np.float32(1.5), [-1, "..."], (1,)),
        (np.float32(1.5), [-1], (1,)),
        (np.ones(3), [-1, 3], (1, 3)),
        (np.ones((2, 3)), [-1, 2, 3], (1, 2, 3)),
        (np.ones((2, 3)), [-1, 3], (2, 3)),
        (np.ones((1, 3)), [-1, 1, 3], (1, 3)),
    ],
)
def test_one_row_has_its_axis(answer: Any, shape: list[Any], wanted: tuple[int, ...]) -> None:
    """A graph that squeezes its answer takes it away; what cannot be that is left to the check of the rows."""

    class Squeezing:
        """Answers the same for any rows."""

        def predict(self, _model: Any, _asked: Signature, _inputs: dict[str, Any]) -> dict[str, Any]:
            """What a format's loader has."""
            return {"y": answer}

    asked = signature("any", [{"name": "y", "dtype": "FP32", "shape": shape}])
    assert np.shape(call(Squeezing(), None, asked, {"x": X[:1], "k": K[:1]})["y"]) == wanted
    assert call(Squeezing(), None, asked, {"x": X, "k": K})["y"] is answer


def test_two_rows_tell_how_many_axes_one_row_has() -> None:
    """Where nothing declares them."""

    class Squeezing:
        """A vector a row, and the same matrix for all rows."""

        def predict(self, _model: Any, _asked: Signature, inputs: dict[str, Any]) -> dict[str, Any]:
            """What a format's loader has."""
            return {"y": inputs["x"].squeeze(), "odd": np.ones((3, 3))}

    asked = signature("any", [{"name": name, "dtype": "FP32", "shape": [-1, "..."]} for name in ("y", "odd")])
    told = call(Squeezing(), None, asked, {"x": X[:1], "k": K[:1]})
    np.testing.assert_array_equal(told["y"], X[:1])
    assert told["odd"].shape == (3, 3)


def test_a_batch_of_one_is_a_call_a_row() -> None:
    """Each call has axis 0 of length 1; the joined answer is what one call would have given."""
    loader = Loader()
    answer = call(loader, None, signature("one", [SUM, MANY]), {"x": X, "k": K})
    assert [one["x"].shape for one in loader.given] == [(1, 3)] * 3
    np.testing.assert_array_equal(answer["sum"], X.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(answer["many"], X)


def test_no_row_axis_is_a_row_s_own_tensors() -> None:
    """Scalars arrive as such, with their dtype; answers of one shape are stacked."""
    loader = Loader()
    answer = call(loader, None, signature("none", [SUM, MANY]), {"x": X, "k": K})
    assert [(one["x"].shape, one["k"].shape, one["k"].dtype) for one in loader.given] == [((3,), (), K.dtype)] * 3
    np.testing.assert_array_equal(answer["sum"], X.sum(axis=1))
    assert answer["many"].shape == (3, 1)


@pytest.mark.parametrize("counts", [[1, 2, 3], [2, 1, 2]])
def test_answers_of_different_lengths_are_lists(counts: list[int]) -> None:
    """A detector answers as many boxes as it sees: each row keeps its own."""
    answer = call(Loader(), None, signature("none", [SUM, MANY]), {"x": X, "k": np.array(counts)})
    assert answer["many"].tolist() == [[1.0] * count for count in counts]
