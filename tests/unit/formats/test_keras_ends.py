"""The names and shapes of a Keras model's inputs and outputs, and the loader's half of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.checks.comparison import problem_with
from mlpack.formats.keras import KerasFormat
from mlpack.formats.keras.ends import named_ends, structure_of
from mlpack.formats.keras.loader.ends import arranged, by_name
from mlpack.pipeline.inspect import inspect
from tests.unit.formats.test_keras import archive, layer

LEFT = layer("InputLayer", "left", batch_shape=[None, 4], dtype="float32")
RIGHT = layer("InputLayer", "right", batch_shape=[None, 2], dtype="float32")


def functional(path: Path, inputs: Any, outputs: Any, *layers: dict[str, Any]) -> ModelInfo:
    config = {"name": "m", "layers": [LEFT, RIGHT, *layers], "input_layers": inputs, "output_layers": outputs}
    document = {"module": "keras", "class_name": "Functional", "config": config}
    return inspect(archive(path / "m.keras", document), formats=[KerasFormat()])


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (["a", 0, 0], ["a"]),
        ([["enc", 0, 1], ["enc", 0, 2], ["head", 0, 0]], ["enc", "enc_1", "head"]),
        ([["t", 0, 0], ["t", 1, 0], ["t_1", 0, 0]], ["t", "t_1", "t_1_1"]),
        ([["t_1", 0, 0], ["t", 0, 0], ["t", 1, 0]], ["t_1", "t", "t_2"]),
        ({"zz": ["o2", 0, 0], "aa": ["o1", 0, 0]}, ["zz", "aa"]),
        ({"p": [["t", 0, 0], ["u", 0, 0]], "q": {"r": ["u", 0, 0]}}, ["p_0", "p_1", "q.r"]),
        ([["t", 0, 0], [["u", 0, 0], ["t", 0, 0]]], ["t", "u", "t_1"]),
        ([["a", 0, 0], {"a": ["b", 0, 0]}], ["a", "a_1"]),
        (None, []),
    ],
)
def test_each_tensor_has_a_name_of_its_own(value: Any, names: list[str]) -> None:
    """Keys of dictionaries, else names of layers; those that came before have a number, as in Keras 2."""
    assert [name for name, _ in named_ends(value)] == names


def test_shapes_are_those_of_the_call(tmp_path: Path) -> None:
    """A layer that is called twice, and a layer's second tensor, of which nothing is known."""
    shared = layer("Dense", "shared", units=3)
    calls = [layer("Dense", "shared", source)["inbound_nodes"][0] for source in ("left", "right")]
    flat = {**layer("Activation", "act"), "inbound_nodes": calls}
    info = functional(
        tmp_path,
        [["left", 0, 0], ["right", 0, 0]],
        [["shared", 1, 0], ["act", 1, 0], ["act", 0, 0], ["act", 0, 1]],
        {**shared, "inbound_nodes": calls},
        flat,
    )
    assert [(one.name, one.shape) for one in info.signatures[0].outputs] == [
        ("shared", (-1, 3)),
        ("act", (-1, 2)),
        ("act_1", (-1, 4)),
        ("act_2", (-1, "...")),
    ]


def test_a_dictionary_s_keys_are_the_names(tmp_path: Path) -> None:
    """Also where they are the names of other layers."""
    crosswise = {"right": ["left", 0, 0], "x": ["right", 0, 0]}
    out = {"score": ["out", 0, 0]}
    info = functional(tmp_path, crosswise, out, layer("Dense", "out", "left", units=1))
    assert [(one.name, one.shape) for one in info.signatures[0].inputs] == [("right", (-1, 4)), ("x", (-1, 2))]
    assert [one.name for one in info.signatures[0].outputs] == ["score"]
    assert info.options["named"] is True
    assert "nested" not in info.options


def test_inputs_in_lists_and_dictionaries_are_put_back(tmp_path: Path) -> None:
    """Keras would sort the keys of a flat list."""
    taken = [["left", 0, 0], {"y": ["right", 0, 0], "a": ["left", 0, 0]}]
    info = functional(tmp_path, taken, ["out", 0, 0], layer("Dense", "out", "left", units=1))
    assert info.options["nested"] == ["left", {"y": "y", "a": "a"}]
    assert arranged(info.options["nested"], {"left": 1, "y": 2, "a": 3}) == [1, {"y": 2, "a": 3}]
    assert structure_of(["left", 0, 0], ["left"]) == "left"


class Pair(NamedTuple):
    """An answer of a model's own code."""

    score: int
    mid: int


@pytest.mark.parametrize(
    ("answer", "names", "found"),
    [
        (1, ["output"], {"output": 1}),
        ([1], ["output"], {"output": 1}),
        ({"score": 1}, ["output"], {"output": 1}),
        ({"score": 1, "mid": 2}, ["output"], {"score": 1, "mid": 2}),
        ({"output": 1, "mid": 2}, ["output"], {"output": 1, "mid": 2}),
        (Pair(1, 2), ["output"], {"score": 1, "mid": 2}),
        ((1, 2), ["output"], {"output_0": 1, "output_1": 2}),
        ([{"x": 1}, {"x": 2}], ["output"], {"output_0": 1, "output_1": 2}),
        ({"b": 1, "a": 2}, ["a", "b"], {"a": 2, "b": 1}),
        ([1, 2], ["a", "b"], {"a": 1, "b": 2}),
        ({"p": [1, 2], "q": {"r": 3}}, ["q.r", "p_0", "p_1"], {"q.r": 3, "p_0": 1, "p_1": 2}),
        ([1, 2, 3], ["a", "b"], {"output_0": 1, "output_1": 2, "output_2": 3}),
        ((1, None), ["output"], {"output": 1}),
    ],
)
def test_no_tensor_of_an_answer_is_dropped(answer: Any, names: list[str], found: dict[str, int]) -> None:
    """By the declared names where these are all of them."""
    assert by_name(answer, names) == found
    assert list(by_name(answer, names)) == list(found)


def test_a_test_takes_outputs_that_no_file_records() -> None:
    """An object a row where one output of unknown shape is declared; of a known shape it is none."""
    assert not problem_with([{"score": [1.5], "mid": "x"}], {"dtype": "FP32", "shape": [-1, "..."]}, None)
    assert problem_with([{"score": [1.5]}], {"dtype": "FP32", "shape": [-1]}, None)


@pytest.mark.parametrize(("taken", "layout"), [({"k": ["left", 0, 0]}, "tensors"), ([["left", 0, 0]], "matrix")])
def test_a_row_may_name_the_only_input_of_a_dictionary(taken: Any, layout: str, tmp_path: Path) -> None:
    """Of a model that takes the tensor itself a row is a list."""
    info = functional(tmp_path, taken, ["out", 0, 0], layer("Dense", "out", "left", units=1))
    assert info.signatures[0].layout == layout
