"""Keras models with several outputs and with dictionaries, of Keras 2 and 3: asked by the card's names, answered as Keras answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack.formats.keras import KerasFormat
from mlpack.pipeline.inspect import inspect
from tests.formats.frameworks import GUARD, run

pytestmark = pytest.mark.slow

FILES = [f"{name}-{version}.keras" for name in ("states", "shared", "keyed", "mixed") for version in (2, 3)]
FILES += [f"{name}-{version}.h5" for name in ("states", "keyed") for version in (2, 3)]
INPUTS: dict[str, dict[str, Any]] = {
    "states": {"x": [[[0.5, -1.0], [2.0, 0.25]], [[1.5, 0.0], [-0.5, 1.0]]]},
    "shared": {"right": [[0.5, -1.0], [2.0, 0.25]], "left": [[1.5, 0.0], [-0.5, 1.0]]},
    "keyed": {"r": [[0.5, -1.0], [2.0, 0.25]], "l": [[1.5, 0.0], [-0.5, 1.0]]},
    "mixed": {"right": [[0.5], [2.0]], "z": [[1.5], [-0.5]], "a": [[3.5], [4.5]]},
}
OUTPUTS = {
    "states": ["enc", "enc_1", "head"],
    "shared": ["tower", "tower_1"],
    "keyed": ["zz", "aa"],
    "mixed": ["o"],
    "owned": ["score", "mid"],
    "paired": ["output_0", "output_1"],
}
_OWN = """
import keras
from keras import layers as L
class Owned(keras.Model):
    def __init__(self, **more): super().__init__(**more); self.a, self.b = L.Dense(3), L.Dense(1)
    def call(self, x): return {"score": self.b(x["u"]), "mid": self.a(x["v"])}
class Paired(Owned):
    def call(self, x): return self.b(x), self.a(x)
"""
_MAKE = """
import json, sys, keras, tf_keras, numpy as np
folder, given, answers = sys.argv[1], json.loads(sys.argv[2]), {}
def states(k):
    x = k.Input((2, 2), name="x")
    _, h, c = k.layers.LSTM(3, return_sequences=True, return_state=True, name="enc")(x)
    return k.Model(x, [h, c, k.layers.Dense(3, name="head")(h)])
def pair(k, width=2):
    return k.Input((width,), name="right"), k.Input((width,), name="left")
def shared(k):
    (a, b), d = pair(k), k.layers.Dense(3, name="tower")
    return k.Model([a, b], [d(a), d(b)])
def keyed(k):
    a, b = pair(k)
    x = k.layers.Subtract()([k.layers.Dense(4)(a), k.layers.Dense(4)(b)])
    return k.Model({"r": a, "l": b}, {"zz": k.layers.Dense(1, name="o2")(x), "aa": k.layers.Dense(1, name="o1")(x)})
def mixed(k):
    (a, b), c = pair(k, 1), k.Input((1,), name="c")
    return k.Model([a, {"z": b, "a": c}], k.layers.Concatenate(name="o")([a, b, c]))
def keep(model, file, x):
    model.save(f"{folder}/{file}")
    told = model.predict(x, verbose=0)
    told = list(told.values()) if isinstance(told, dict) else told if isinstance(told, (list, tuple)) else [told]
    answers[file] = [one.tolist() for one in told]
for version, k in ((2, tf_keras), (3, keras)):
    for make in (states, shared, keyed, mixed):
        x = {name: np.array(one, "float32") for name, one in given[make.__name__].items()}
        rows = x if make is keyed else list(x.values())
        if make is mixed:
            rows = [x["right"], {"z": x["z"], "a": x["a"]}]
        for ending in ("keras", "h5") if make in (states, keyed) else ("keras",):
            keep(make(k), f"{make.__name__}-{version}.{ending}", rows if len(x) > 1 else rows[0])
sys.path.insert(0, folder)
import own
x = np.array(given["keyed"]["r"], "float32")
for model, rows in ((own.Owned(), {"u": x, "v": x * 2}), (own.Paired(), x)):
    model(rows)
    keep(model, type(model).__name__.lower() + ".keras", rows)
print(json.dumps(answers))
"""
_ASK = """
import json, sys, numpy as np
from types import SimpleNamespace
from tests.loading import module_at
folder, given = sys.argv[1], json.loads(sys.argv[2])
loader, guard = module_at(sys.argv[3], "loader"), module_at(sys.argv[4], "guard")
sys.path.insert(0, folder)
found = {}
for file, card in json.load(open(folder + "/cards.json")).items():
    sides = {side: [SimpleNamespace(**one) for one in card["signature"][side]] for side in ("inputs", "outputs")}
    model = loader.load(f"{folder}/{file}", card["options"], guard.Guard(card["guard"]))
    x = {name: np.array(one, "float32") for name, one in given[file].items()}
    told = loader.predict(model, SimpleNamespace(batch="any", **sides), x)
    found[file] = {name: one.tolist() for name, one in told.items()}
print(json.dumps(found))
"""


def test_every_output_is_answered_under_its_own_name(tmp_path: Path) -> None:
    """States of a layer, a layer called twice, keys unlike the layers' names, nested inputs, dictionaries of own code."""
    (tmp_path / "own.py").write_text(_OWN)
    wanted = json.loads(run("-c", _MAKE, str(tmp_path), json.dumps(INPUTS)).splitlines()[-1])
    given: dict[str, Any] = {file: INPUTS[file.split("-")[0]] for file in FILES}
    rows = INPUTS["keyed"]["r"]
    given["owned.keras"] = {"u": rows, "v": [[2 * one for one in row] for row in rows]}
    given["paired.keras"] = {"input": rows}
    cards = {}
    for file, inputs in given.items():
        info = inspect(tmp_path / file, formats=[KerasFormat()])
        assert [one.name for one in info.signatures[0].inputs] == list(inputs)
        found = info.to_json()
        cards[file] = {"signature": found["signatures"][0], "options": dict(info.options), "guard": found["guard"]}
    (tmp_path / "cards.json").write_text(json.dumps(cards))
    said = run("-c", _ASK, str(tmp_path), json.dumps(given), str(KerasFormat.loader), str(GUARD))
    answers = json.loads(said.splitlines()[-1])
    for file, answer in answers.items():
        assert list(answer) == OUTPUTS[file.split(".")[0].split("-")[0]]
        for have, want in zip(answer.values(), wanted[file], strict=True):
            np.testing.assert_allclose(have, want, atol=1e-5)
