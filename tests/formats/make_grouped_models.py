"""Makes TorchScript models whose forward takes and gives several tensors in one, and answers them by this project's loader.

usage: make_grouped_models.py FOLDER made | make_grouped_models.py FOLDER answer CARDS.json LOADER GUARD.py

The first writes NAME.pt and, in answers.json, the rows and torch's own answers; the second prints the loader's for the cards.
"""

from __future__ import annotations

import json
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tests.loading import module_at

FOLDER = Path(sys.argv[1])


class Pair(NamedTuple):
    """Two tensors by name."""

    left: Tensor
    right: Tensor


class Layered(nn.Module):
    """A module with one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)


class Keyed(Layered):
    """A dictionary in, a dictionary out that grows as it goes."""

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The answer."""
        out: dict[str, Tensor] = {}
        found = self.layer(batch["dense"])
        out["sum"] = found + batch["shift"]
        out["best"] = found.argmax(1)
        return out


class Listed(Layered):
    """A list in, a list out."""

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        """The answer."""
        first = self.layer(xs[0])
        return [first, first - self.layer(xs[1])]


class Paired(Layered):
    """A tuple and a NamedTuple in, a NamedTuple out."""

    def forward(self, xy: tuple[Tensor, Tensor], more: Pair) -> Pair:
        """The answer."""
        return Pair(self.layer(xy[0]) + self.layer(more.left), self.layer(xy[1]) * self.layer(more.right))


class Nested(Layered):
    """A tensor with an optional one in; tuples and a dictionary out."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, tuple[Tensor, dict[str, Tensor]]]:
        """The answer."""
        found = self.layer(x)
        if mask is not None:
            found = found * mask.unsqueeze(1)
        return found, (found.sum(1), {"twice": found * 2})


class Any3(nn.Module):
    """A dictionary that is gone through, so that nothing tells its keys."""

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """The answer."""
        total = torch.zeros(1)
        for value in batch.values():
            total = total + value.sum(1)
        return total


class Counted(Layered):
    """A number beside the tensor."""

    def forward(self, x: Tensor) -> tuple[Tensor, int]:
        """The answer."""
        return self.layer(x), x.size(0)


def make() -> None:
    """Every model, with rows and torch's own answers."""
    torch.manual_seed(3)
    rows = torch.randn(60, 4)
    other = rows.flip(0) * 3
    shift = torch.arange(60.0)[:, None].repeat(1, 2)
    mask = (torch.arange(60) % 2).float()
    four = Pair(rows * 2, other + 1)
    told: dict[str, Any] = {}
    for name, module, arguments, inputs in (
        ("keyed", Keyed(), ({"dense": rows, "shift": shift},), {"dense": rows, "shift": shift}),
        ("listed", Listed(), ([rows, other],), {"xs_0": rows, "xs_1": other}),
        ("paired", Paired(), ((rows, other), four), {"xy_0": rows, "xy_1": other, "left": four.left, "right": four.right}),
        ("nested", Nested(), (rows,), {"x": rows}),
        ("masked", Nested(), (rows, mask), {"x": rows, "mask": mask}),
        ("any", Any3(), ({"a": rows, "b": other},), {"a": rows, "b": other}),
    ):  # fmt: skip
        module.eval()
        torch.jit.save(torch.jit.script(module), FOLDER / f"{name}.pt")
        with torch.inference_mode():
            answer = [one.tolist() for one in leaves(module(*arguments))]
        told[name] = {"inputs": {key: value.tolist() for key, value in inputs.items()}, "answer": answer}
    torch.jit.save(torch.jit.script(Counted()), FOLDER / "counted.pt")
    traced = torch.jit.trace(Keyed().eval(), ({"dense": rows[:5], "shift": shift[:5]},), strict=False)
    torch.jit.save(traced, FOLDER / "traced.pt")
    with torch.inference_mode():
        answer = [one.tolist() for one in leaves(traced({"dense": rows, "shift": shift}))]
    told["traced"] = {"inputs": told["keyed"]["inputs"], "answer": answer}
    layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).eval()
    optimizer = torch.optim.SGD(layers.parameters())
    torch.save((layers, optimizer), FOLDER / "pair.pt")
    with torch.inference_mode():
        told["pair"] = {"inputs": {"input": rows.tolist()}, "answer": [layers(rows).tolist()]}
    torch.save((layers.state_dict(), optimizer.state_dict()), FOLDER / "states.pt")
    torch.save([layers, layers], FOLDER / "ensemble.pt")
    torch.save(optimizer.state_dict(), FOLDER / "optimizer.pt")
    torch.save(rows, FOLDER / "rows.pt")
    (FOLDER / "pickled.pkl").write_bytes(pickle.dumps(layers))
    (FOLDER / "answers.json").write_text(json.dumps(told))


def leaves(answer: Any) -> list[Tensor]:
    """Every tensor of an answer, in its order."""
    if isinstance(answer, Tensor):
        return [answer]
    return [one for part in (answer.values() if isinstance(answer, dict) else answer) for one in leaves(part)]


def answer(cards: dict[str, Any], loader_file: str, guard_file: str) -> None:
    """Prints what the loader answers to each model's rows, by the outputs' names."""
    loader, guard = module_at(loader_file, "loader"), module_at(guard_file, "guard")
    told = json.loads((FOLDER / "answers.json").read_text())
    kinds = {"FP32": "float32", "INT64": "int64"}
    found = {}
    for name, card in cards.items():
        inputs, outputs = (
            [SimpleNamespace(**{**one, "shape": tuple(one["shape"])}) for one in card["signature"][side]]
            for side in ("inputs", "outputs")
        )
        signature = SimpleNamespace(batch=card["signature"].get("batch", "any"), inputs=inputs, outputs=outputs)
        arrays = {one.name: np.array(told[name]["inputs"][one.name], dtype=kinds[one.dtype]) for one in inputs}
        given = guard.Guard(card["guard"])
        answered = loader.predict(loader.load(str(FOLDER / f"{name}.pt"), card["options"], given), signature, arrays)
        found[name] = {key: [str(array.dtype), array.tolist()] for key, array in answered.items()}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[2] == "answer":
        answer(json.loads(Path(sys.argv[3]).read_text()), sys.argv[4], sys.argv[5])
    else:
        make()
