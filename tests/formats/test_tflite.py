"""TensorFlow Lite files read as data: signatures, free axes, quantisation; what the loader answers is the interpreter's own."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import UnreadableModelError
from mlpack.formats.tflite import TfliteFormat, loader
from mlpack.pipeline.inspect import inspect
from mlpack.runtime.card import Signature as Served
from mlpack.runtime.models.calls import call
from mlpack.runtime.models.guard import Guard
from mlpack.runtime.protocols.encoding.rows import Rows
from tests.formats.tflite_models import TYPES, adding


def saved(folder: Path, content: bytes) -> Path:
    (folder / "m.tflite").write_bytes(content)
    return folder / "m.tflite"


def look(path: Path) -> ModelInfo:
    return inspect(path, formats=[TfliteFormat()])


def answers(path: Path, info: ModelInfo, instances: list[Any]) -> dict[str, Any]:
    """What the service says of the rows: decoded as a request is, called as the runtime calls a loader."""
    signature = Served.from_json(json.loads(json.dumps(info.signatures[0].to_json())))
    arrays, _ = Rows(signature, 1000).decode(instances)
    return dict(call(loader, loader.load(str(path), info.options, Guard(info.names)), signature, arrays))


@pytest.mark.parametrize(
    ("shape", "free", "batch", "spec"),
    [([1, 3], None, "one", (-1, 3)), ([1, 3], [-1, 3], "any", (-1, 3)), ([2, 3], None, "none", (-1, 2, 3))],
)
@pytest.mark.parametrize("key", [None, "serving_default"])
def test_the_axis_of_the_rows(tmp_path: Path, shape: Any, free: Any, batch: str, spec: Any, key: str | None) -> None:
    """A free axis takes any number of rows, a batch of 1 is asked row by row, any other is none; all answer rows."""
    path = saved(tmp_path, adding(shape, free=free, key=key))
    info = look(path)
    signature = info.signatures[0]
    assert (signature.name, signature.batch, signature.inputs[0].shape) == (key or "predict", batch, spec)
    left, right, total = ("left", "right", "sum") if key else ("graph_a:0", "graph_b:0", "graph_y:0")
    assert [one.name for one in (*signature.inputs, *signature.outputs)] == [left, right, total]
    rows = np.random.default_rng(0).normal(size=(4, *spec[1:])).astype(np.float32)
    instances = [{left: row.tolist(), right: (row * 2).tolist()} for row in rows]
    np.testing.assert_array_equal(answers(path, info, instances)[total], rows + rows * 2)
    np.testing.assert_array_equal(answers(path, info, instances[:1])[total], (rows + rows * 2)[:1])


def test_tensors_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """In a file without signatures a converter may call several tensors the same: the later ones have a number."""
    path = saved(tmp_path, adding([1, 2], free=[-1, 2], names="xxx", outputs=(2, 1)))
    info = look(path)
    left, right = (one.name for one in info.signatures[0].inputs)
    total, same = (one.name for one in info.signatures[0].outputs)
    assert (left, right, total, same) == ("graph_x:0", "graph_x:0_1") * 2
    told = answers(path, info, [{left: [1.0, 2.0], right: [10.0, 20.0]}, {left: [3.0, 4.0], right: [30.0, 40.0]}])
    assert told[total].tolist() == [[11.0, 22.0], [33.0, 44.0]]
    assert told[same].tolist() == [[10.0, 20.0], [30.0, 40.0]]


def test_quantised_values_are_whole_numbers(tmp_path: Path) -> None:
    """A quantised input takes the numbers that the model works with, and its scale and zero are told."""
    path = saved(tmp_path, adding([1, 2], dtype=TYPES.INT8, scale=0.5, zero=-1))
    info = look(path)
    assert info.signatures[0].inputs[0].dtype == "INT8"
    assert info.details["quantization"]["graph_a:0"] == {"scale": 0.5, "zero": -1}
    assert any("Quantised" in one for one in info.warnings)
    # (3 + 1) / 2 + (7 + 1) / 2 = 6, which is 11 at this scale
    assert answers(path, info, [{"graph_a:0": [3, -1], "graph_b:0": [7, -1]}])["graph_y:0"].tolist() == [[11, -1]]


def test_custom_operators(tmp_path: Path) -> None:
    """An operator that the runtime lacks makes the verdict `unknown`, names it and says what to do."""
    info = look(saved(tmp_path, adding([1, 2], custom="Twist")))
    assert info.safety.verdict == "unknown"
    assert [one.callable for one in info.safety.findings] == ["Twist"]
    assert not info.signatures
    assert "predictor:" in info.advice
    assert "SavedModel" in look(saved(tmp_path, adding([1, 2], custom="FlexErf"))).advice


def test_gzipped(tmp_path: Path) -> None:
    """A packed file is read where it lies."""
    path = tmp_path / "m.tflite.gz"
    path.write_bytes(gzip.compress(adding([1, 2])))
    info = look(path)
    assert (info.packed, info.framework, info.requirements[0].newest) == ("m.tflite", "ai-edge-litert", True)


def test_damaged_files(tmp_path: Path) -> None:
    """Any damage gives an answer or UnreadableModelError, and no other failure."""
    data = adding([1, 3], free=[-1, 3], key="serving_default", scale=0.5)
    chance = random.Random(9)
    unreadable = 0
    for _ in range(500):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.choice([*range(4), *range(8, len(damaged))])] = chance.randrange(256)
        path = saved(tmp_path, bytes(damaged[: chance.choice([len(data), len(data), chance.randint(8, len(data))])]))
        try:
            look(path)
        except UnreadableModelError:
            unreadable += 1
    assert unreadable > 30
