"""Keras models whose own code says what they take, and recurrent ones that keep a state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.formats.keras import KerasFormat
from mlpack.pipeline.inspect import inspect
from tests.unit.formats.test_keras import archive, layer, sequential

ROWS = [{"user": 1, "item": [7, 8]}, {"user": 2, "item": [9, 3]}]


def tower(built: Any, path: Path, sample: list[Any] | None = None) -> ModelInfo:
    document = {
        "module": None,
        "class_name": "TwoTower",
        "config": {"name": "two_tower"},
        "registered_name": "Custom>TwoTower",
        **({"build_config": {"input_shape": built}} if built is not None else {}),
    }
    return inspect(archive(path / "tower.keras", document), formats=[KerasFormat()], sample=sample or ())


def inputs(info: ModelInfo) -> list[tuple[str, str, tuple[Any, ...]]]:
    return [(one.name, one.dtype, one.shape) for one in info.signatures[0].inputs]


def test_a_dictionary_of_shapes_is_an_input_by_each_name(tmp_path: Path) -> None:
    """Its first axis is the number of rows of the first call, and no part of a row."""
    info = tower({"user": [2], "item": [2, 2]}, tmp_path)
    assert inputs(info) == [("user", "FP32", (-1,)), ("item", "FP32", (-1, 2))]
    assert info.options["named"] is True
    assert info.signatures[0].batch == "any"
    assert not info.signatures[0].batchable


def test_a_sample_tells_the_types(tmp_path: Path) -> None:
    """Whole numbers are integers; a length that differs is open."""
    info = tower({"user": [2], "item": [2, 5]}, tmp_path, ROWS)
    assert inputs(info) == [("user", "INT64", (-1,)), ("item", "INT64", (-1, -1))]


@pytest.mark.parametrize(
    ("sample", "wanted", "named"),
    [
        (ROWS, [("user", "INT64", (-1,)), ("item", "INT64", (-1, 2))], True),
        ([[0.5, 1.5], [2.5, 3.5]], [("input", "FP32", (-1, 2))], False),
        (["some text", "another"], [("input", "BYTES", (-1,))], False),
        ([[1.5], [1.5, 2.5]], [("input", "FP32", (-1, -1))], False),
    ],
)
def test_a_sample_stands_for_shapes_that_the_file_does_not_record(
    sample: list[Any], wanted: list[Any], named: bool, tmp_path: Path
) -> None:
    """Records are a dictionary of inputs, other rows one input."""
    info = tower(None, tmp_path, sample)
    assert inputs(info) == wanted
    assert info.options["named"] is named


@pytest.mark.parametrize("sample", [None, [{"a": 1}, {"b": 2}], [[1.5, "x"], [2.5, "y"]]])
def test_without_usable_rows_the_advice_asks_for_them(sample: list[Any] | None, tmp_path: Path) -> None:
    """Nothing is guessed."""
    info = tower(None, tmp_path, sample)
    assert not info.signatures
    assert "--sample" in info.advice


def test_a_list_of_shapes_is_several_inputs(tmp_path: Path) -> None:
    """In their order, without names of their own."""
    info = tower([[4, 3], [4, 2]], tmp_path)
    assert inputs(info) == [("input_0", "FP32", (-1, 3)), ("input_1", "FP32", (-1, 2))]
    assert info.options["named"] is False


@pytest.mark.parametrize("built", [{"user": "x"}, {}, {"user": [2], "item": None}, "x", [[]], [["a"]]])
def test_odd_shapes_are_not_recorded_ones(built: Any, tmp_path: Path) -> None:
    """A configuration may hold anything."""
    assert not tower(built, tmp_path).signatures or inputs(tower(built, tmp_path))[0][2][:1] == (-1,)


@pytest.mark.parametrize("stateful", [True, False])
def test_a_stateful_layer_is_warned_about(stateful: bool, tmp_path: Path) -> None:
    """The loader is told, so that it resets the state before each call."""
    begin = layer("InputLayer", "x", batch_shape=[1, 5, 1], dtype="float32")
    document = sequential(begin, layer("LSTM", "lstm", units=4, stateful=stateful))
    info = inspect(archive(tmp_path / "m.keras", document), formats=[KerasFormat()])
    assert any("stateful" in one for one in info.warnings) is stateful
    assert info.options.get("stateful", False) is stateful
    assert not info.signatures[0].batchable
