"""Reducers compute what numpy computes, align classes by label, and break ties as documented."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlpack.runtime.ensembles.reducers import (
    aligned,
    classes_of,
    confident,
    hard_vote,
    labels_of,
    mean,
    median,
    stacked,
)

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1,), (7,), (7, 1), (7, 3), (7, 3, 2)])
@pytest.mark.parametrize("members", [1, 2, 3, 16])
def test_numbers_are_those_of_numpy(shape: tuple[int, ...], members: int) -> None:
    """Mean, weighted mean and median, for any shape and number of members."""
    arrays = [RANDOM.normal(size=shape) for _ in range(members)]
    weights = RANDOM.uniform(0.1, 5, size=members).tolist()
    assert np.array_equal(mean(arrays), np.average(np.stack(arrays), axis=0))
    assert np.array_equal(mean(arrays, weights), np.average(np.stack(arrays), axis=0, weights=weights))
    assert np.array_equal(median(arrays), np.median(np.stack(arrays), axis=0))


def test_integers_have_a_mean_of_floats() -> None:
    """The mean of 1 and 2 is 1.5."""
    assert mean([np.array([1, 2]), np.array([2, 2])]).tolist() == [1.5, 2.0]


def test_probabilities_are_aligned_by_label() -> None:
    """Another order, and a class that one member does not know."""
    classes = classes_of([("a", ["cat", "dog"]), ("b", ["fox", "cat"])])
    assert classes == ("cat", "dog", "fox")
    assert aligned(np.array([[0.25, 0.75]]), ["fox", "cat"], classes).tolist() == [[0.75, 0.0, 0.25]]
    assert aligned(np.array([[0.5, 0.5]], dtype=np.float32), ["dog", "cat"], classes).dtype == np.float32


@pytest.mark.parametrize(
    ("votes", "weights", "winners"),
    [
        ([["a"], ["b"], ["b"]], None, ["b"]),
        ([["a"], ["b"], ["b"]], [3, 1, 1], ["a"]),
        ([["b"], ["a"]], None, ["a"]),  # equal votes: the class that is first
        ([["a"], ["b"], ["b"]], [2, 1, 1], ["a"]),  # equal sums: the heavier single vote
        ([["b"], ["a"], ["a"]], [2, 1, 1], ["b"]),
        ([["a"], ["b"], ["c"]], [0.1, 0.2, 0.3], ["c"]),
        ([["a"], ["a"], ["b"]], [0.1, 0.2, 0.3], ["b"]),  # 0.1 + 0.2 is 0.3 here, though not in floating point
        ([["a", "b"], ["b", "b"], ["a", "a"]], None, ["a", "b"]),
    ],
)
def test_votes_are_counted_by_weight(votes: list[list[str]], weights: Any, winners: list[str]) -> None:
    """The largest sum wins; of equal sums the one with the largest single weight, then the first class."""
    classes = ("a", "b", "c")
    arrays = [np.array(labels, dtype=object) for labels in votes]
    assert labels_of(classes)[hard_vote(arrays, classes, weights)].tolist() == winners


def test_a_vote_for_an_unknown_label_is_an_error() -> None:
    """It is named."""
    with pytest.raises(ValueError, match="'z'"):
        hard_vote([np.array(["a", "z"], dtype=object)], ("a", "b"))


def test_labels_keep_their_type() -> None:
    """Numbers and booleans in numpy's dtypes, texts and mixtures as objects."""
    assert labels_of((0, 1)).dtype.kind == "i"
    assert labels_of((True, False)).dtype.kind == "b"
    assert labels_of(("a", "b")).tolist() == ["a", "b"]
    assert labels_of(("a", 1)).tolist() == ["a", 1]
    assert labels_of(("a", "b")).dtype == object


def test_a_table_for_a_meta_model_has_a_documented_order() -> None:
    """By member, then by column."""
    outputs = {"a": {"predict_proba": np.array([[0.1, 0.9]])}, "b": {"predict": np.array([3])}}
    assert stacked(outputs).tolist() == [[0.1, 0.9, 3.0]]


def test_a_cascade_ends_at_the_threshold() -> None:
    """The threshold itself is enough."""
    assert confident(np.array([[0.5, 0.5], [0.9, 0.1], [0.89, 0.11]]), 0.9).tolist() == [False, True, False]
