"""TorchScript models that take texts or plain lists: what is the batch and what is a row, and lists as answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.formats.pytorch import TorchFormat
from mlpack.pipeline.inspect import inspect
from tests.formats.frameworks import GUARD, run

pytestmark = pytest.mark.slow

_MAKE = """
import io, json, sys, zipfile
from typing import Dict, List
import torch
from torch import nn

class Lengths(nn.Module):
    def forward(self, texts: List[str]) -> torch.Tensor:
        return torch.tensor([[float(len(one)), 1.0] for one in texts])

class Labels(nn.Module):
    def forward(self, texts: List[str]) -> List[Dict[str, float]]:
        found: List[Dict[str, float]] = []
        for one in texts:
            found.append({"length": float(len(one))})
        return found

class Signs(nn.Module):
    def forward(self, x: torch.Tensor) -> List[str]:
        found: List[str] = []
        for one in x.sum(-1):
            found.append("plus" if bool(one > 0) else "minus")
        return found

class Tokens(nn.Module):
    def forward(self, ids: List[int]) -> torch.Tensor:
        return torch.tensor(ids).float().sum().reshape(1)

class Traced(nn.Module):
    def forward(self, x):
        return x + torch.arange(3, device=x.device)

folder = sys.argv[1]
for one in (Lengths(), Labels(), Signs(), Tokens()):
    torch.jit.save(torch.jit.script(one), f"{folder}/{type(one).__name__.lower()}.pt")
held = io.BytesIO()
torch.jit.save(torch.jit.trace(Traced(), torch.zeros(2, 3)), held)
with zipfile.ZipFile(held) as source, zipfile.ZipFile(f"{folder}/cuda.pt", "w") as target:
    for member in source.infolist():
        content = source.read(member)
        target.writestr(member.filename, content.replace(b'torch.device("cpu")', b'torch.device("cuda:0")'))
"""
_ASK = """
import json, sys, numpy as np
from types import SimpleNamespace
from tests.loading import module_at
loader, guard = module_at(sys.argv[2], "loader"), module_at(sys.argv[3], "guard")
for name, (card, rows, dtype) in json.loads(sys.argv[4]).items():
    sides = {side: [SimpleNamespace(**one) for one in card["signature"][side]] for side in ("inputs", "outputs")}
    signature = SimpleNamespace(batch=card["signature"].get("batch", "any"), **sides)
    model = loader.load(f"{sys.argv[1]}/{name}.pt", card["options"], guard.Guard(card["guard"]))
    arrays = {sides["inputs"][0].name: np.array(rows, dtype=dtype)}
    (answer,) = loader.predict(model, signature, arrays).values()
    print(json.dumps([name, answer.tolist()]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models."""
    where = tmp_path_factory.mktemp("texts")
    (where / "make.py").write_text(_MAKE)
    run(str(where / "make.py"), str(where))
    return where


def told(path: Path, sample: Any = ()) -> ModelInfo:
    return inspect(path, formats=[TorchFormat()], sample=sample)


def test_texts_are_the_batch_and_lists_are_rows(folder: Path) -> None:
    """Each text is a row; the answer has one entry for each of them, in the form that the model gives it."""
    cards = {}
    for name, rows, dtype in (
        ("lengths", ["ab", "c"], "object"),
        ("labels", ["ab", "c"], "object"),
        ("signs", [[1.0, 2.0], [-1.0, -2.0]], "float32"),
    ):
        info = told(folder / f"{name}.pt", [[1.0, 2.0]] if name == "signs" else ())
        assert info.signatures[0].batch == "any"
        found = info.to_json()
        card = {"signature": found["signatures"][0], "options": dict(info.options), "guard": found["guard"]}
        cards[name] = (card, rows, dtype)
    said = run("-c", _ASK, str(folder), str(TorchFormat().loader), str(GUARD), json.dumps(cards))
    answers = dict(json.loads(line) for line in said.splitlines())
    assert answers == {
        "lengths": [[2.0, 1.0], [1.0, 1.0]],
        "labels": [{"length": 2.0}, {"length": 1.0}],
        "signs": ["plus", "minus"],
    }
    assert cards["labels"][0]["signature"]["raw"] == ["output"]


def test_the_samples_form_decides(folder: Path) -> None:
    """Numbers in a list are a row, unless the sample's rows are numbers; texts are rows, unless the sample's rows are lists."""
    assert (
        told(folder / "tokens.pt").signatures[0].batch,
        told(folder / "lengths.pt", [["a"]]).signatures[0].batch,
    ) == (
        "none",
        "none",
    )
    alone = told(folder / "tokens.pt", [3, 4]).signatures[0]
    assert (alone.batch, alone.inputs[0].shape) == ("any", (-1,))


def test_code_that_names_a_gpu_says_what_to_do(folder: Path) -> None:
    """The warning has the remedy."""
    (warning,) = [one for one in told(folder / "cuda.pt").warnings if "GPU" in one]
    assert "Trace it on the CPU" in warning
    assert "--gpu" in warning
