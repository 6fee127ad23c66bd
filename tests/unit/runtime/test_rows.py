"""Rows into arrays, and the examples that errors show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlpack.runtime.card import Signature, TensorSpec
from mlpack.runtime.errors import BadInputError, TooManyRowsError
from mlpack.runtime.protocols.encoding.csv_rows import read_csv
from mlpack.runtime.protocols.encoding.fitting import fit
from mlpack.runtime.protocols.encoding.rows import Rows
from mlpack.runtime.protocols.encoding.tables import from_columns, from_split
from mlpack.runtime.protocols.examples import example


def signature(
    layout: str, *inputs: tuple[str, str, tuple[int | str, ...]], columns: Any = (), categories: Any = None
) -> Signature:
    specs = tuple(TensorSpec(name, dtype, shape) for name, dtype, shape in inputs)
    return Signature("predict", "predict", layout, specs, (), None, tuple(columns), categories or {}, False)


LAYOUTS = {
    "matrix": signature("matrix", ("input", "FP64", (-1, 3))),
    "named matrix": signature("matrix", ("input", "FP32", (-1, 2)), columns=("a", "b"), categories={"a": (7, 8)}),
    "matrix of unknown width": signature("matrix", ("input", "FP64", (-1, -1))),
    "matrix of symbolic width": signature("matrix", ("input", "FP64", ("n", "m")), columns=("a", "b")),
    "one column": signature("matrix", ("input", "INT64", (-1, 1)), columns=("a",)),
    "columns": signature(
        "columns", ("n", "FP64", (-1,)), ("i", "INT8", (-1,)), ("t", "BYTES", (-1,)), ("b", "BOOL", (-1,)),
        categories={"t": (None, "red"), "i": (5,), "n": (3,)},
    ),
    "text": signature("tensors", ("text", "BYTES", (-1,))),
    "image": signature("tensors", ("image", "UINT8", (-1, 2, 2, -1))),
    "tensors": signature("tensors", ("ids", "INT64", (-1, 3)), ("mask", "BOOL", (-1, 3))),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("number", [1, 0.5, 0])
def test_the_synthesized_example_is_valid(name: str, number: float) -> None:
    """Whatever the layout, what is shown as an example is taken."""
    arrays, rows = Rows(LAYOUTS[name], 10).decode([example(LAYOUTS[name], number)] * 2)
    assert rows == 2
    assert list(arrays) == [spec.name for spec in LAYOUTS[name].inputs]
    assert all(len(array) == 2 for array in arrays.values())


def test_examples_use_what_the_encoder_knows() -> None:
    """A known category of the column's own type stands in the example."""
    assert example(LAYOUTS["columns"]) == {"n": 3, "i": 5, "t": "red", "b": True}
    assert example(LAYOUTS["named matrix"]) == {"a": 7, "b": 1.0}
    assert example(LAYOUTS["text"]) == "a"


def test_booleans_and_numbers_are_the_same_in_a_table() -> None:
    """As in pandas, true and false are 1 and 0 in a column of numbers, and the other way round; other tensors are strict."""
    told = signature("columns", ("x", "FP64", (-1,)), ("i", "INT8", (-1,)), ("b", "BOOL", (-1,)))
    arrays, _ = Rows(told, 10).decode([[True, False, 1], [2, 3.0, 0.0], [None, True, True]])
    np.testing.assert_array_equal(arrays["x"], [1.0, 2.0, np.nan])
    assert arrays["i"].tolist() == [0, 3, 1]
    assert arrays["b"].tolist() == [True, False, True]
    matrix, _ = Rows(LAYOUTS["named matrix"], 10).decode([{"a": True, "b": 0.5}])
    assert matrix["input"].tolist() == [[1.0, 0.5]]
    flags = replace(told, categories={"x": (False, True)})
    with pytest.raises(BadInputError, match='column "x": expected true, false or null'):
        Rows(flags, 10).decode([["yes", 1, True]])
    with pytest.raises(BadInputError, match='column "b": expected true or false'):
        Rows(told, 10).decode([[1, 1, 2]])
    with pytest.raises(BadInputError, match='column "x": expected a number'):
        Rows(told, 10).decode([["true", 1, True]])
    with pytest.raises(BadInputError, match="expected a whole number"):
        Rows(LAYOUTS["tensors"], 10).decode([{"ids": [True, 2, 3], "mask": [True, False, True]}])


def test_columns_that_the_model_drops_may_be_there() -> None:
    """Rows with all columns of training are taken as objects and as lists; a column that training never had is refused."""
    told = replace(
        signature("columns", ("b", "FP64", (-1,)), ("a", "BYTES", (-1,))), trained_columns=("id", "a", "b", "note")
    )
    rows = Rows(told, 10)
    for row in (
        {"a": "x", "b": 1, "id": {"any": 1}, "note": None},
        {"note": 3, "b": 1, "a": "x"},
        [7, "x", 1, None],
        [1, "x"],
    ):
        arrays, _ = rows.decode([row])
        assert (arrays["a"].tolist(), arrays["b"].tolist()) == (["x"], [1.0])
    mixed, _ = rows.decode([{"a": "x", "b": 1}, {"id": 4, "a": "y", "b": 2}])
    assert mixed["b"].tolist() == [1.0, 2.0]
    split, _ = rows.decode(from_split(rows, {"columns": ["id", "b", "a"], "data": [[1, 2, "x"]]}))
    assert split["b"].tolist() == [2.0]
    columns, _ = rows.decode(from_columns(rows, {"a": ["x"], "b": [5], "id": [None]}))
    assert columns["b"].tolist() == [5.0]
    for body in (b"id,a,b,note\n1,x,2,\n", b"007,x,2,\n", b"2,x\n"):
        arrays, _ = rows.decode(read_csv(body, rows))
        assert (arrays["a"].tolist(), arrays["b"].tolist()) == (["x"], [2.0])
    with pytest.raises(BadInputError, match='unknown column "c"'):
        rows.decode([{"a": "x", "b": 1, "c": 1}])
    given = {"id": np.array([1]), "a": np.array(["x"], dtype=object), "b": np.array([2.0])}
    assert fit(told, given, 10)[0]["b"].tolist() == [2.0]


def test_a_blank_and_an_underscore_in_a_name_are_one() -> None:
    """LightGBM writes blanks in names as underscores: both names are taken, the exact one first."""
    told = signature("columns", ("sepal_length", "FP64", (-1,)), ("n m", "FP64", (-1,)))
    rows = Rows(told, 10)
    for row in ({"sepal length": 1, "n_m": 2}, {"n m": 2, "sepal_length": 1}):
        arrays, _ = rows.decode([row])
        assert [array.tolist() for array in arrays.values()] == [[1.0], [2.0]]
    assert list(rows.decode(from_columns(rows, {"n_m": [2], "sepal length": [1]}))[0]) == ["sepal_length", "n m"]
    with pytest.raises(BadInputError, match='unknown column "sepal length"'):
        rows.decode([{"sepal length": 1, "sepal_length": 1, "n m": 2}])
    matrix = signature("matrix", ("input", "FP64", (-1, 2)), columns=("a_b", "c"))
    assert Rows(matrix, 10).decode([{"c": 2, "a b": 1}])[0]["input"].tolist() == [[1.0, 2.0]]
    tensors = {"a b": np.array([1.0]), "c": np.array([True])}
    assert fit(matrix, tensors, 10)[0]["input"].tolist() == [[1.0, 1.0]]


def test_texts_without_null_and_whole_numbers_as_texts() -> None:
    """Where the model takes no missing text, null is refused by the rows; a whole number may stand for its text."""
    told = replace(
        signature("columns", ("zip", "BYTES", (-1,)), ("note", "BYTES", (-1,))),
        not_null=("zip", "note"),
        whole_as_text=("zip",),
    )
    rows = Rows(told, 10)
    arrays, _ = rows.decode([[89073, "x"], ["00001", "y"], [10**30, ""]])
    assert arrays["zip"].tolist() == ["89073", "00001", str(10**30)]
    for row, said in (
        ([None, "x"], 'column "zip": expected a string or a whole number (BYTES), got null'),
        (["1", None], 'column "note": expected a string (BYTES), got null'),
        ([1.0, "x"], "got 1.0"),
        (["1", 5], "got 5"),
    ):
        with pytest.raises(BadInputError) as caught:
            rows.decode([row])
        assert said in caught.value.message
    given = {"zip": np.array([5, 6]), "note": np.array(["x", None], dtype=object)}
    with pytest.raises(BadInputError, match="got null"):
        fit(told, given, 10)
    given["note"][1] = "y"
    assert fit(told, given, 10)[0]["zip"].tolist() == ["5", "6"]


def test_a_bare_value_is_a_row_of_one_element() -> None:
    """Where a row's tensor has one element, the value needs no lists around it, in every form of a request."""
    told = signature("tensors", ("age", "FP32", (-1, 1)), ("word", "BYTES", (-1, 1, 1)), ("more", "FP32", (-1, 2)))
    rows = Rows(told, 10)
    for row in ({"age": 3, "word": "a", "more": [1, 2]}, [[3], [["a"]], [1, 2]]):
        arrays, _ = rows.decode([row])
        assert arrays["age"].tolist() == [[3.0]]
        assert arrays["word"].tolist() == [[["a"]]]
    one = signature("tensors", ("input", "FP32", (-1, 1)))
    assert Rows(one, 10).decode([1, [2]])[0]["input"].tolist() == [[1.0], [2.0]]
    assert Rows(LAYOUTS["one column"], 10).decode([1, 2])[0]["input"].tolist() == [[1], [2]]
    assert fit(one, {"input": np.array([1.0, 2.0])}, 10)[0]["input"].shape == (2, 1)
    with pytest.raises(BadInputError, match="in place of a list"):
        rows.decode([{"age": 3, "word": "a", "more": 1}])


def test_columns_keep_their_types_and_the_models_order() -> None:
    """Each column is an array of its own dtype; texts are str objects."""
    arrays, _ = Rows(LAYOUTS["columns"], 10).decode(
        [{"b": True, "t": "x", "i": 1.0, "n": 2}, {"n": None, "i": 2, "t": None, "b": False}]
    )
    assert [(name, array.dtype.kind, array.ndim) for name, array in arrays.items()] == [
        ("n", "f", 1),
        ("i", "i", 1),
        ("t", "O", 1),
        ("b", "b", 1),
    ]
    assert arrays["i"].dtype == np.int8
    assert arrays["t"].tolist() == ["x", None]
    assert np.isnan(arrays["n"][1])


def test_an_image_of_one_tensor_needs_no_name() -> None:
    """A nested list is the row itself, also beside its named form."""
    image = [[[1], [2]], [[3], [4]]]
    arrays, _ = Rows(LAYOUTS["image"], 10).decode([image, image])
    assert arrays["image"].shape == (2, 2, 2, 1)
    assert arrays["image"].dtype == np.uint8
    named, _ = Rows(LAYOUTS["image"], 10).decode([{"image": image}])
    assert named["image"].shape == (1, 2, 2, 1)


@pytest.mark.parametrize(
    ("name", "rows", "said"),
    [
        ("matrix", [[1, 2, 3], [1, 2]], "row 1: expected a list of 3 values, got a list of 2"),
        ("matrix", [{"a": 1}], "no names"),
        ("matrix", "abc", "must be a list"),
        ("matrix", [], "no rows"),
        ("matrix", [[1, 2, 3], None], "row 1: expected a list of values"),
        ("matrix of unknown width", [[1, 2], [1]], "row 1"),
        ("matrix of unknown width", [[]], "row 0"),
        ("named matrix", [[1, "2"]], 'row 0, column "b": expected a number or null (FP32), got "2"'),
        ("named matrix", [{"a": 1, "c": 2}], 'missing column "b"; unknown column "c"'),
        ("named matrix", [{"a": 1, "b": 2}, [1, 2]], "row of the same kind"),
        ("named matrix", [[1, 1e39]], "got 1e+39"),
        ("one column", ["1"], "expected a whole number"),
        ("columns", [[1, 300, "x", True]], "whole number from -128 to 127"),
        ("columns", [[1, 3, "x", 2]], "true or false"),
        ("columns", [[1, 3, "x", True], [1, 3, 5, True]], 'row 1, column "t"'),
        ("text", [5], 'a string, {"b64": "..."} for bytes, or null'),
        ("text", ["a", {"text": "b"}], "row of the same kind"),
        ("text", [["a", "b"]], "a list of 1 values"),
        ("image", [[[[1]], [[2]]]], "lists of 1 values"),
        ("image", [[[[1], [2]], [[3], [256]]]], "at [1, 1, 0]"),
        ("tensors", [{"ids": [1, 2, 3], "mask": [1, 0, 1]}], "true or false"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_place(name: str, rows: Any, said: str) -> None:
    """Row, column, what was expected, what was there."""
    with pytest.raises(BadInputError) as caught:
        Rows(LAYOUTS[name], 10).decode(rows)
    assert said in caught.value.message


def test_the_rows_are_bounded() -> None:
    """One row too many is 413, counted before anything is looked at."""
    with pytest.raises(TooManyRowsError):
        Rows(LAYOUTS["matrix"], 10).decode([None] * 11)


def test_long_values_are_cut_in_messages() -> None:
    """A message never repeats a body."""
    with pytest.raises(BadInputError) as caught:
        Rows(LAYOUTS["matrix"], 10).decode([["x" * 10_000, 1, 2]])
    assert len(caught.value.message) < 200
    assert len(caught.value.detail["problems"]) == 1


def test_bytes_in_rows() -> None:
    """`{"b64": ...}` is a value of texts: text where it is UTF-8, else bytes, in a record, a list and alone."""
    image = signature("tensors", ("image", "BYTES", (-1,)))
    marked = [{"b64": "/9j/"}, {"b64": "aGk="}]
    for rows in ([{"image": one} for one in marked], [[one] for one in marked], marked):
        arrays, _ = Rows(image, 10).decode(rows)
        assert arrays["image"].tolist() == [b"\xff\xd8\xff", "hi"]
    for wrong in ({"b64": "no base64"}, {"b64": 5}, {"b64": "aGk=", "more": 1}):
        with pytest.raises(BadInputError):
            Rows(image, 10).decode([wrong])
    named = signature("tensors", ("b64", "BYTES", (-1,)))
    assert Rows(named, 10).decode([{"b64": "aGk="}])[0]["b64"].tolist() == ["aGk="]
