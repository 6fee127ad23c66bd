"""Keras models that keep a state or take a dictionary, answered by the loader as Keras answers a first call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlpack.formats.keras import KerasFormat
from mlpack.pipeline.inspect import inspect
from tests.formats.frameworks import GUARD, run

pytestmark = pytest.mark.slow

_MAKE = """
import json, sys, keras, numpy as np
folder = sys.argv[1]
begin = keras.Input(batch_shape=(1, 5, 1))
inner = keras.layers.Bidirectional(keras.layers.GRU(3, stateful=True, return_sequences=True))(begin)
model = keras.Model(begin, keras.layers.Dense(1)(keras.layers.LSTM(4, stateful=True)(inner)))
model.save(folder + "/stateful.keras")
print(json.dumps(model.predict(np.linspace(0, 1, 5).reshape(1, 5, 1), verbose=0).tolist()))
"""
_ASK = """
import json, sys, numpy as np
from types import SimpleNamespace
from tests.loading import module_at
loader, guard = module_at(sys.argv[2], "loader"), module_at(sys.argv[3], "guard")
card = json.loads(sys.argv[4])
sides = {side: [SimpleNamespace(**one) for one in card["signature"][side]] for side in ("inputs", "outputs")}
signature = SimpleNamespace(batch=card["signature"].get("batch", "any"), **sides)
model = loader.load(sys.argv[1] + "/stateful.keras", card["options"], guard.Guard(card["guard"]))
rows = {sides["inputs"][0].name: np.linspace(0, 1, 5, dtype="float32").reshape(1, 5, 1)}
answers = [next(iter(loader.predict(model, signature, rows).values())).tolist() for _ in range(3)]
print(json.dumps(answers))
"""


def test_every_call_of_a_stateful_model_begins_anew(tmp_path: Path) -> None:
    """The same row has the same answer, which is that of the first call after loading."""
    wanted = json.loads(run("-c", _MAKE, str(tmp_path)).splitlines()[-1])
    info = inspect(tmp_path / "stateful.keras", formats=[KerasFormat()])
    found = info.to_json()
    card = {"signature": found["signatures"][0], "options": dict(info.options), "guard": found["guard"]}
    said = run("-c", _ASK, str(tmp_path), str(KerasFormat.loader), str(GUARD), json.dumps(card))
    answers = json.loads(said.splitlines()[-1])
    assert answers == [answers[0]] * 3
    assert answers[0][0] == pytest.approx(wanted[0], rel=1e-5)
