"""Makes one small model of each kind that torch writes, and beside each what torch itself answers to many rows.

usage: make_torch_models.py FOLDER served|unserved
"""

from __future__ import annotations

import json
import math
import random
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

SOURCE = '''"""The network that the weights belong to."""

import torch
from torch import nn


class Net(nn.Module):
    """Four numbers to three probabilities."""

    def __init__(self, hidden: int = 8) -> None:
        super().__init__()
        self.first = nn.Linear(4, hidden)
        self.norm = nn.BatchNorm1d(hidden)
        self.last = nn.Linear(hidden, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The answer."""
        return torch.softmax(self.last(torch.relu(self.norm(self.first(x)))), -1)


def make_model() -> nn.Module:
    return Net()
'''
EXTREMES = [0.0, -0.0, 1.0, -1.0, 1e-38, 3e38, -3e38, 123456.789]


class Both(nn.Module):
    """Two inputs and a plain number with a default; a dict of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.last = nn.Linear(6, 2)

    def forward(self, ids: torch.Tensor, dense: torch.Tensor, scale: float = 1.0) -> dict[str, torch.Tensor]:
        """The answer."""
        found = self.last(torch.cat([self.words(ids).mean(1), dense], 1)) * scale
        return {"logits": found, "best": found.argmax(1)}


class Steps(nn.Module):
    """A sequence; a tuple of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.LSTM(3, 5, batch_first=True)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The answer."""
        every, (last, _) = self.steps(x)
        return every, last[0]


class Scaled(nn.Module):
    """A tensor and a whole number that all rows of a call share."""

    def forward(self, x: torch.Tensor, times: int) -> torch.Tensor:
        """The answer."""
        return x * times


def rows(width: int, *, gaps: bool = True, seed: int = 3) -> list[list[float | None]]:
    """60 rows: ordinary numbers of several scales, the ends of what single precision holds, and gaps (NaN)."""
    chance = random.Random(seed)
    found: list[list[Any]] = [
        [round(chance.gauss(0, 1) * scale, 4) for _ in range(width)] for scale in (0.1, 1, 10, 500) for _ in range(12)
    ]
    found += [[end] * width for end in EXTREMES]
    found += [[None if place == row % width and gaps else 0.5 for place in range(width)] for row in range(4)]
    return found


def tensor(values: list[Any]) -> torch.Tensor:
    """Rows as a float tensor; None is NaN."""
    return torch.tensor([[math.nan if value is None else value for value in row] for row in values])


def plain(value: torch.Tensor) -> Any:
    """A tensor as the service writes it: what is not finite is null."""

    def told(one: Any) -> Any:
        if isinstance(one, list):
            return [told(inner) for inner in one]
        return None if isinstance(one, float) and not math.isfinite(one) else one

    return told(value.detach().tolist())


def answered(folder: Path, name: str, instances: list[Any], outputs: dict[str, torch.Tensor]) -> None:
    """Beside the model: the question, and torch's own answers as the service gives them."""
    columns = {key: plain(value) for key, value in outputs.items()}
    only = next(iter(columns.values()))
    listed = (
        only
        if len(columns) == 1
        else [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    )
    (folder / f"{name}.request.json").write_text(json.dumps({"instances": instances}))
    (folder / f"{name}.expected.json").write_text(json.dumps({"predictions": listed}))


def served(folder: Path) -> None:
    """Every kind that can be served."""
    from torch.export import Dim, export, save

    (folder / "network.py").write_text(SOURCE)
    sys.path.insert(0, str(folder))
    from network import Net  # type: ignore[import-not-found]  # written a line above

    net = Net().eval()
    questions = rows(4)
    x = tensor(questions)
    with torch.inference_mode():
        out = {"output": net(x)}
    small = torch.randn(5, 4)
    scripted = torch.jit.script(net)
    torch.jit.save(torch.jit.trace(net, small), folder / "traced.pt")
    torch.jit.save(scripted, folder / "scripted.pt")
    torch.jit.save(torch.jit.freeze(scripted), folder / "frozen.pt")
    torch.save(net, folder / "module.pt")
    torch.save(net, folder / "module_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(net.state_dict(), folder / "weights.pt")
    torch.save(net.state_dict(), folder / "weights_legacy.pth", _use_new_zipfile_serialization=False)
    optimizer = torch.optim.Adam(net.parameters())
    held = {"epoch": 3, "model_state_dict": net.state_dict(), "optimizer_state_dict": optimizer.state_dict()}
    torch.save(held, folder / "checkpoint.ckpt")
    save_safetensors(net.state_dict(), folder / "weights.safetensors")
    save(export(net, (small,), dynamic_shapes={"x": {0: Dim("batch", min=1, max=32)}}), folder / "exported.pt2")
    for name in (
        "traced", "scripted", "module", "module_legacy", "weights", "weights_legacy", "checkpoint",
        "weights.safetensors", "exported",
    ):  # fmt: skip
        answered(folder, name, questions, out)
    with torch.inference_mode():  # freezing folds layers into one another, which rounds differently
        answered(folder, "frozen", questions, {"output": torch.jit.load(folder / "frozen.pt")(x)})
    layers = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).eval()
    torch.save(layers, folder / "layers.pt")
    answered(folder, "layers", questions, {"output": layers(x)})
    torch.save({"epoch": 3, "best": 0.5, "ema": layers, "model": layers.double()}, folder / "held.pt")
    answered(folder, "held", questions, {"output": layers(x.double())})
    layers.float()
    fixed = export(net, (small[:1],))
    save(fixed, folder / "one_row.pt2")
    answered(folder, "one_row", questions, {"output": torch.cat([net(row[None]) for row in x])})
    with torch.inference_mode():
        several(folder)


def several(folder: Path) -> None:
    """Several inputs, several outputs, plain numbers."""
    chance = random.Random(5)
    both = Both().eval()
    torch.jit.save(torch.jit.script(both), folder / "both.pt")
    instances = [{"ids": [chance.randrange(10) for _ in range(3)], "dense": dense} for dense in rows(2, seed=9)]
    ids = torch.tensor([row["ids"] for row in instances])
    told = both(ids, tensor([row["dense"] for row in instances]))
    answered(folder, "both", instances, told)
    (folder / "both.sample.json").write_text(json.dumps(instances[:3]))
    steps = Steps().eval()
    torch.jit.save(torch.jit.script(steps), folder / "steps.pt")
    sequences = [[[round(chance.uniform(-9, 9), 3) for _ in range(3)] for _ in range(4)] for _ in range(55)]
    every, last = steps(torch.tensor(sequences))
    answered(folder, "steps", sequences, {"output_0": every, "output_1": last})
    torch.jit.save(torch.jit.script(Scaled()), folder / "scaled.pt")
    numbers = [{"x": row, "times": place % 3} for place, row in enumerate(rows(3))]
    times = torch.tensor([row["times"] for row in numbers])[:, None]
    answered(folder, "scaled", numbers, {"output": tensor([row["x"] for row in numbers]) * times})
    (folder / "scaled.sample.json").write_text(json.dumps(numbers[:3]))


def save_safetensors(state: dict[str, torch.Tensor], path: Path) -> None:
    """The format by hand: a length, a JSON header, the tensors' bytes."""
    kinds = {torch.float32: "F32", torch.int64: "I64"}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, value in state.items():
        data = value.contiguous().numpy().tobytes()
        header[name] = {
            "dtype": kinds[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [len(body), len(body) + len(data)],
        }
        body += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def unserved(folder: Path) -> None:
    """What is recognised only, and odd ones."""
    from torch.export import Dim, export, save
    from torch.package import PackageExporter

    with PackageExporter(str(folder / "package.pt")) as exporter:
        exporter.extern("**")
        exporter.save_pickle("model", "model.pkl", nn.Linear(2, 2))
    torch.save({"a": [1, 2, 3]}, folder / "object.pt")
    torch.save(nn.Linear(4, 2).double(), folder / "double.pt")
    torch.save(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), folder / "conv.pt")
    torch.save({"x": torch.eye(3).to_sparse(), "y": torch.ones(2, dtype=torch.bfloat16)}, folder / "sparse.pt")
    torch.save(
        {"state_dict": {"layer.weight": torch.ones(2, 2)}, "ema": {"layer.weight": torch.ones(2, 2)}}, folder / "two.pt"
    )

    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor, k: int = 2) -> dict[str, torch.Tensor]:
            """The answer."""
            return {"sum": x + y, "scaled": x * k}

    x = torch.ones(2, 4)
    save(export(Fixed(), (x, x), {"k": 3}), folder / "two_rows.pt2")

    class Nested(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, Any]:
            """The answer."""
            return {"z": {"q": x, "b": x * 3}, "a": [x * 2, x * 4], "n": 3}

    save(export(Nested(), (x,), dynamic_shapes=({0: Dim("rows", max=100)},)), folder / "nested.pt2")

    class Reader(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            """The answer."""
            torch.save(x, "somewhere.pt")
            return x

    torch.jit.save(torch.jit.script(Reader()), folder / "writes_files.pt")

    class Listed(nn.Module):
        def forward(self, images: list[torch.Tensor]) -> torch.Tensor:
            """The answer."""
            return images[0]

    torch.jit.save(torch.jit.script(Listed()), folder / "listed.pt")
    quantized = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 2)).eval(), {nn.Linear})
    torch.jit.save(torch.jit.script(quantized), folder / "quantized.pt")
    torch.save(quantized, folder / "quantized_module.pt")


if __name__ == "__main__":
    torch.manual_seed(0)
    {"served": served, "unserved": unserved}[sys.argv[2]](Path(sys.argv[1]))
