"""Comparing answers by value: what is equal, and how a difference is told."""

import math
import random
from typing import Any

import pytest

from mlpack.checks.comparison import columns_of, difference, problem_with, says_nothing
from mlpack.checks.requests import rows_for, sample_rows, wrong_type, wrong_width


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([1.0, 2.0], [1.0000000001, 2]),
        ([None, "a", True], [None, "a", True]),
        ([[0.1, 0.9]], [[0.1, 0.9]]),
        ([{"a": 1.0}], [{"a": 1}]),
        ([{"b64": "/w=="}], [{"b64": "/w=="}]),
        ([1e300], [1e300]),
    ],
)
def test_equal_values_are_equal(found: Any, wanted: Any) -> None:
    """Numbers within the tolerance, everything else exactly."""
    assert difference(found, wanted, 1e-6) == ""


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        ([1.0], [1.1], "predictions[0]: 1.0, expected 1.1"),
        ([1], [1, 2], "predictions: 1 values, expected 2"),
        ([True], [1], "predictions[0]: True, expected 1"),
        ([1], [True], "predictions[0]: 1, expected True"),
        (["1"], [1], "predictions[0]: '1', expected 1"),
        ([None], [0.0], "predictions[0]: None, expected 0.0"),
        ([[1, 2]], [[1, 3]], "predictions[0][1]: 2, expected 3"),
        ([{"a": 1}], [{"b": 1}], "predictions[0]: keys ['a'], expected ['b']"),
        ([math.nan], [1.0], "predictions[0]: nan, expected 1.0"),
    ],
)
def test_a_difference_names_its_place(found: Any, wanted: Any, said: str) -> None:
    """The first place that differs, what was found there and what was expected."""
    assert difference(found, wanted, 1e-6) == said


@pytest.mark.parametrize("answer", [[[]], [None], [[None, None]], [{"a": [], "b": None}], []])
def test_an_answer_without_a_value_proves_nothing(answer: Any) -> None:
    """Empty, null (NaN in JSON) and nested forms of them; zero, false and "" are values."""
    assert says_nothing(answer)
    for value in (0, False, "", "a"):
        assert not says_nothing([value])
        assert not says_nothing([{"a": [value], "b": None}])


def test_declared_shapes_and_dtypes_are_held() -> None:
    """An answer must have the dtype, the shape and the classes that its signature declares."""
    labels = {"dtype": "INT64", "shape": [-1]}
    assert problem_with([0, 1], labels, [0, 1]) == ""
    assert "not one of the classes" in problem_with([0, 7], labels, [0, 1])
    assert "not of type INT64" in problem_with([0.5], labels, None)
    assert "not of type INT64" in problem_with([True], labels, None)
    table = {"dtype": "FP64", "shape": [-1, 3]}
    assert problem_with([[0.1, None, 1]], table, None) == ""
    assert "2 values" in problem_with([[0.1, 0.2]], table, None)
    assert "not a list" in problem_with([0.1], table, None)
    texts = {"dtype": "BYTES", "shape": [-1]}
    assert problem_with(["a", {"b64": "/w=="}], texts, None) == ""
    for value in (1, {"b64": 1}, {"b64": "/w==", "c": "d"}, {"c": "d"}):
        assert "not of type BYTES" in problem_with([value], texts, None)


MATRIX = {
    "layout": "matrix",
    "inputs": [{"name": "input", "dtype": "FP64", "shape": [-1, 3]}],
    "columns": [],
    "categories": {},
}
COLUMNS = {
    "layout": "columns",
    "inputs": [{"name": "age", "dtype": "INT64", "shape": [-1]}, {"name": "city", "dtype": "BYTES", "shape": [-1]}],
    "categories": {"city": ["Bonn", None, "Kiel"]},
}
TEXT = {"layout": "tensors", "inputs": [{"name": "text", "dtype": "BYTES", "shape": [-1]}], "categories": {}}


def test_questions_fit_their_signature() -> None:
    """Rows are of the signature's layout, names and categories; the same at every call, and not all alike."""
    assert rows_for(MATRIX, 4) == rows_for(MATRIX, 4)
    assert len({tuple(row) for row in rows_for(MATRIX, 8)}) == 8
    assert all(len(row) == 3 for row in rows_for(MATRIX, 8))
    named = rows_for({**MATRIX, "columns": ["a", "b", "c"]}, 2)
    assert [list(row) for row in named] == [["a", "b", "c"]] * 2
    for row in rows_for(COLUMNS, 20):
        assert isinstance(row["age"], int)
        assert row["city"] in {"Bonn", "Kiel"}
    assert all(isinstance(row, str) for row in rows_for(TEXT, 3))


def test_the_sample_is_asked_where_there_is_one() -> None:
    """The user's own rows win over made ones, and are repeated when there are few."""
    assert sample_rows({"sample": [[1], [2]], "signatures": [MATRIX]}, 3) == [[1], [2], [1]]
    assert sample_rows({"sample": None, "signatures": [MATRIX]}, 2) == rows_for(MATRIX, 2)


@pytest.mark.parametrize("signature", [MATRIX, COLUMNS, TEXT, {**MATRIX, "columns": ["a", "b", "c"]}])
def test_bad_questions_differ_from_good_ones(signature: dict[str, Any]) -> None:
    """A wrong row is wrong in one way alone."""
    row = random.Random(1).choice(rows_for(signature, 3))
    assert wrong_width(row) != row
    assert wrong_type(row) != row
    if isinstance(row, (list, dict)):
        assert len(wrong_width(row)) == len(row) + 1
        assert len(wrong_type(row)) == len(row)


def test_several_outputs_are_named_in_each_row() -> None:
    """A model with several outputs answers each row as an object; a row without all of them is told."""
    outputs = [{"name": "a", "dtype": "FP64", "shape": [-1]}, {"name": "b", "dtype": "INT64", "shape": [-1, 2]}]
    assert columns_of([{"a": 1.5, "b": [1, 2]}], outputs) == [[1.5], [[1, 2]]]
    assert columns_of([{"a": 1.5}], outputs) is None
    assert columns_of([[1.5, [1, 2]]], outputs) is None
    assert columns_of([[1, 2]], outputs[1:]) == [[[1, 2]]]


@pytest.mark.parametrize("value", [1.5, [1.5], [[1.5, None]], []])
def test_any_number_of_axes_fits_where_the_file_tells_none(value: Any) -> None:
    """An output whose rank is not told may be a number or lists of them, and holds nothing but its type."""
    output = {"name": "y", "dtype": "FP32", "shape": [-1, "..."]}
    assert problem_with([value], output, None) == ""
    assert problem_with([[value, "text"]], output, None)
