"""What Keras configurations cost: counts and shapes that nothing in the file backs, and widths up to what is read."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from mlpack.formats.keras import _model
from mlpack.formats.keras.files import KerasFile
from tests.unit.formats.test_keras import ARTIFACT, layer, sequential

MANY = 8_000
INPUT = layer("InputLayer", "x", batch_shape=[None, 4], dtype="float32")


def inputs() -> dict[str, Any]:
    """A model with many inputs, each looked up in a table."""
    layers = [layer("InputLayer", f"i{one}", batch_shape=[None, 1]) for one in range(MANY // 4)]
    layers += [layer("Embedding", f"e{one}", f"i{one}", input_dim=3) for one in range(MANY // 4)]
    ends = {
        side: [[f"{name}{one}", 0, 0] for one in range(MANY // 4)]
        for side, name in (("input_layers", "i"), ("output_layers", "e"))
    }
    return {"class_name": "Functional", "module": "keras", "config": {"name": "f", "layers": layers, **ends}}


WIDE: dict[str, Callable[[], dict[str, Any]]] = {
    "many inputs": inputs,
    "an axis more with each layer": lambda: sequential(INPUT, *[layer("Embedding", "e", output_dim=3)] * MANY),
    "huge lengths": lambda: sequential(
        layer("InputLayer", "x", batch_shape=[None, 10**18, 10**18]), *[layer("Flatten", "f")] * 50,
        *[layer("Reshape", "r", target_shape=[10**4000] * 200)] * 200, layer("Dense", "d", units=10**4000),
    ),
    "names": lambda: sequential(*(layer("TFOpLambda", f"t{one}", function=f"math.x{one}") for one in range(MANY))),
    "classes": lambda: sequential(*(layer(f"Own{one}", f"t{one}") for one in range(MANY))),
    "functions": lambda: sequential(
        *(layer("Lambda", "l", function={"class_name": "__lambda__", "config": {"code": f"4w{one}"}}) for one in range(MANY))
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", WIDE)
def test_a_wide_configuration(kind: str) -> None:
    """Some megabytes of it are read in seconds, and not all of its names are told as findings."""
    config = WIDE[kind]()
    start = time.process_time()
    info = _model(ARTIFACT, KerasFile(container="zip", config=config, version="3.1.0"), config)
    assert time.process_time() - start < 5
    assert len(info.safety.findings) <= 100
