"""What modules of the user's own answer: lists with an entry for each row, squeezed rows, more outputs than are declared."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlpack.formats.pytorch import TorchFormat
from mlpack.pipeline.inspect import inspect
from tests.formats.frameworks import GUARD, made, run

pytestmark = pytest.mark.slow

_ASK = """
import collections, json, sys, numpy as np, torch
from types import SimpleNamespace
from tests.loading import module_at
from mlpack.runtime.models.calls import call
loader = module_at(sys.argv[1], "loader")
torch.manual_seed(0)
layer, pair = torch.nn.Linear(3, 2), collections.namedtuple("Pair", "left right")
x = torch.tensor([[1.0, 2.0, 3.0], [2.0, 2.0, 4.0], [0.0, 1.0, 0.0]])
class Of(torch.nn.Module):
    def __init__(self, way):
        super().__init__()
        self.way, self.layer, self.calls = way, layer, 0
    def forward(self, x):
        self.calls += 1
        return self.way(self.layer(x))
ways = {
    "rows": lambda r: list(r),
    "unbound": lambda r: r.unbind(0),
    "numbers": lambda r: [float(one[0]) for one in r],
    "texts": lambda r: ["yes" if one[0] > 0 else "no, never" for one in r],
    "detected": lambda r: [{"boxes": one.repeat(n + 1, 1), "count": n} for n, one in enumerate(r)],
    "pairs": lambda r: [(one[0], one) for one in r],
    "inner": lambda r: {"whole": r, "labels": [str(n) for n in range(len(r))]},
    "two": lambda r: [r[:, 0], r[:, 1] * 2],
    "three": lambda r: (r, r * 2, r * 3),
    "chunks": lambda r: list(r.chunk(2, dim=1)),
    "field": lambda r: pair(r, r * 2),
    "more": lambda r: {"output": r, "aux": r * 2},
    "same": lambda r: [{"x": r}, {"x": r * 2}],
    "squeezed": lambda r: r[:, :1].squeeze(),
    "vector": lambda r: r.unsqueeze(1).squeeze(),
    "both": lambda r: {"a": r[:, 0].squeeze(), "b": r},
}
found = {}
for name, way in ways.items():
    for count in (1, 2, 3):
        module = Of(way)
        model = loader.wrap(module)
        out = SimpleNamespace(name="output", dtype="FP32", shape=(-1, "..."))
        signature = SimpleNamespace(batch="any", outputs=[out], inputs=[SimpleNamespace(name="input", dtype="FP32", shape=(-1, 3))])
        ask = lambda rows: call(loader, model, signature, {"input": x[:rows].numpy()})
        told = {key: one.tolist() for key, one in ask(count).items()}
        module.calls = 0
        again = {key: one.tolist() for key, one in ask(count).items()}
        found[name, count] = [told, again, module.calls]
print(json.dumps([[*key, *value] for key, value in found.items()]))
print(json.dumps(layer(x).tolist()))
"""


_ASK_EXPORTED = """
import json, sys, numpy as np
from types import SimpleNamespace
from tests.loading import module_at
loader, guard = module_at(sys.argv[2], "loader"), module_at(sys.argv[3], "guard")
card = json.loads(sys.argv[4])
sides = {side: [SimpleNamespace(**one) for one in card["signature"][side]] for side in ("inputs", "outputs")}
model = loader.load(sys.argv[1], card["options"], guard.Guard(card["guard"]))
told = loader.predict(model, SimpleNamespace(batch="any", **sides), {"x": np.ones((2, 4), "float32")})
print(json.dumps({name: one.tolist() for name, one in told.items()}))
"""


def _wanted(name: str, rows: list[list[float]]) -> dict[str, list[Any]]:
    """What a client should get for the rows that the layer gives."""
    twice, thrice = ([[times * one for one in row] for row in rows] for times in (2, 3))
    first = [row[0] for row in rows]
    wanted: dict[str, dict[str, list[Any]]] = {
        "rows": {"output": rows},
        "unbound": {"output": rows},
        "numbers": {"output": first},
        "texts": {"output": ["yes" if one > 0 else "no, never" for one in first]},
        "detected": {"boxes": [[row] * (n + 1) for n, row in enumerate(rows)], "count": list(range(len(rows)))},
        "pairs": {"output_0": first, "output_1": rows},
        "inner": {"whole": rows, "labels": [str(n) for n in range(len(rows))]},
        "two": {"output_0": first, "output_1": [2 * row[1] for row in rows]},
        "three": {"output_0": rows, "output_1": twice, "output_2": thrice},
        "chunks": {"output_0": [row[:1] for row in rows], "output_1": [row[1:] for row in rows]},
        "field": {"left": rows, "right": twice},
        "more": {"output": rows, "aux": twice},
        "same": {"output_0.x": rows, "output_1.x": twice},
        "squeezed": {"output": first},
        "vector": {"output": rows},
        "both": {"a": first, "b": rows},
    }
    return wanted[name]


def test_they_are_told_row_by_row_and_whole() -> None:
    """With one row, with as many as there are outputs, and with others: the rows' own answers, and no second call the second time."""
    *_, said, layer = run("-c", _ASK, str(TorchFormat().loader)).splitlines()
    rows = json.loads(layer)
    for name, count, told, again, calls in json.loads(said):
        wanted = _wanted(name, rows[:count])
        assert list(told) == list(wanted), name
        assert told == again
        assert calls == (2 if name == "vector" and count == 1 else 1)
        for key, values in wanted.items():
            assert len(told[key]) == count
            assert _near(told[key], values), (name, count, key, told[key], values)


def test_an_exported_program_s_answer_has_its_keys() -> None:
    """Also in one another; a number in it was fixed when it was exported, and is left out and told."""
    path = made("make_torch_models.py", "unserved") / "nested.pt2"
    info = inspect(path, formats=[TorchFormat()])
    names = ["z.q", "z.b", "a_0", "a_1"]
    assert [one.name for one in info.signatures[0].outputs] == names
    assert "Left out of the answer, because they are no tensors: n=3." in info.warnings
    found = info.to_json()
    card = {"signature": found["signatures"][0], "options": dict(info.options), "guard": found["guard"]}
    said = run("-c", _ASK_EXPORTED, str(path), str(TorchFormat().loader), str(GUARD), json.dumps(card))
    answer = json.loads(said.splitlines()[-1])
    assert answer == {name: [[times] * 4] * 2 for name, times in zip(names, (1, 3, 2, 4), strict=True)}


def _near(have: Any, want: Any) -> bool:
    if isinstance(want, list):
        same = isinstance(have, list) and len(have) == len(want)
        return same and all(_near(one, other) for one, other in zip(have, want, strict=True))
    return bool(have == (pytest.approx(want, rel=1e-5) if isinstance(want, float) else want))
