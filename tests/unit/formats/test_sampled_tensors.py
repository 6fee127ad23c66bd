"""Sample rows of a torch model: records that name tensors, and records that name columns."""

from __future__ import annotations

from typing import Any

import pytest

from mlpack.artifacts.model import TensorSpec
from mlpack.formats.pytorch.sampled_inputs import arguments_of_rows, inputs_of_rows, signature_of
from mlpack.pipeline.sample_rows import fit_rows

OUTPUT = (TensorSpec(name="output", dtype="FP32", shape=(-1, "...")),)
WIDE = TensorSpec(name="x", dtype="FP32", shape=(-1, 3))


def test_keys_may_come_in_another_order() -> None:
    """In each row, as in JSON; the first row's order is taken."""
    rows = [{"a": 1.0, "b": [2]}, {"b": [3], "a": 2.5}]
    wanted = [("a", "FP32", (-1,)), ("b", "INT64", (-1, 1))]
    assert [(one.name, one.dtype, one.shape) for one in inputs_of_rows(rows)] == wanted
    assert [(one.name, one.dtype, one.shape) for one in arguments_of_rows(rows)] == wanted
    assert inputs_of_rows([{"a": 1.0, "b": 2.0}, {"b": 3.0, "a": 4.0}])[0].shape == (-1, 2)
    assert not inputs_of_rows([{"a": [1.0]}, {"b": [1.0]}])


def test_a_name_that_the_model_does_not_have() -> None:
    """Records of lists are the tensors that they name, and no others."""
    assert not inputs_of_rows([{"y": [1.0]}], ["x"])


@pytest.mark.parametrize(
    ("rows", "layout", "columns"),
    [
        ([{"x": [1.0, 2.0, 3.0]}, {"x": [2.0, 2.0, 4.0]}], "tensors", ()),
        ([{"a": 1.0, "b": 2.0, "c": 3.0}], "matrix", ("a", "b", "c")),
        ([[1.0, 2.0, 3.0]], "matrix", ()),
        ([], "matrix", ()),
    ],
)
def test_the_name_of_the_only_tensor_is_no_column(rows: list[Any], layout: str, columns: tuple[str, ...]) -> None:
    """The rows fit the model that they describe, and a request may have their form."""
    signature = signature_of([WIDE], OUTPUT, rows=rows)
    assert (signature.layout, signature.columns) == (layout, columns)
    fitted = fit_rows(signature, rows)
    assert not fitted.problem
    assert fitted.rows == rows


def test_a_table_without_names_takes_a_record_of_the_whole_row() -> None:
    """A record whose only key is the tensor's name is the bare value."""
    signature = signature_of([WIDE], OUTPUT)
    assert fit_rows(signature, [{"x": [1.0, 2.0, 3.0]}]).rows == [[1.0, 2.0, 3.0]]
    assert fit_rows(signature, [{"y": [1.0, 2.0, 3.0]}]).problem
