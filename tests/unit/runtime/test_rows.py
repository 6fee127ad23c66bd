"""Rows into arrays, and the examples that errors show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlpack.runtime.card import Signature, TensorSpec
from mlpack.runtime.errors import BadInputError, TooManyRowsError
from mlpack.runtime.protocols.encoding.rows import Rows
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


def test_a_column_of_assumed_numbers_takes_booleans() -> None:
    """Nothing told that the column holds numbers: a boolean is 0 or 1 there, and refused in a column that is known."""
    told = replace(signature("columns", ("known", "FP64", (-1,)), ("taken", "FP64", (-1,))), assumed=("taken",))
    arrays, _ = Rows(told, 10).decode([[1, True], [2, False], [3, None], [4, 0.5]])
    np.testing.assert_array_equal(arrays["taken"], [1.0, 0.0, np.nan, 0.5])
    with pytest.raises(BadInputError, match='column "known": expected a number'):
        Rows(told, 10).decode([[True, True]])
    with pytest.raises(BadInputError, match='column "taken": expected a number'):
        Rows(told, 10).decode([[1, "yes"]])


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
        ("one column", [1], "a list of values or an object"),
        ("columns", [[1, 300, "x", True]], "whole number from -128 to 127"),
        ("columns", [[1, 3, "x", 1]], "true or false"),
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
