"""The host half of what torch writes, on files that torch itself made: what is told without running them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import UsageError
from mlpack.formats.pytorch import TorchFormat
from mlpack.pipeline.inspect import inspect
from tests.formats.frameworks import made

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder() -> Path:
    """Models that can be served."""
    return made("make_torch_models.py", "served")


@pytest.fixture(scope="module")
def others() -> Path:
    """Models that cannot."""
    return made("make_torch_models.py", "unserved")


def told(path: Path, **asked: Any) -> ModelInfo:
    return inspect(path, formats=[TorchFormat()], **asked)


def specs(info: ModelInfo) -> tuple[list[Any], list[Any]]:
    (signature,) = info.signatures
    return (
        [(one.name, one.dtype, one.shape) for one in signature.inputs],
        [(one.name, one.dtype, one.shape) for one in signature.outputs],
    )


@pytest.mark.parametrize("file", ["traced.pt", "scripted.pt", "frozen.pt"])
def test_torchscript_tells_its_tensors(folder: Path, file: str) -> None:
    """Traced by the inputs it was traced with, scripted and frozen by what the first and last layers do."""
    info = told(folder / file)
    assert specs(info) == ([("x", "FP32", (-1, 4))], [("output", "FP32", (-1, 3))])
    assert info.details["forward"] == "forward(x: Tensor) -> Tensor"
    assert (info.safety.verdict, info.details["kind"]) == ("safe", "torchscript")
    assert info.requirements[0].newest
    assert info.root_class == ("torch.jit network.Net")


def test_a_sequence_is_told_by_its_recurrent_layer(folder: Path) -> None:
    """Rows, steps, features: an LSTM with its batch first; two outputs by number, the second of unknown rank."""
    inputs, outputs = specs(told(folder / "steps.pt"))
    assert inputs == [("x", "FP32", (-1, -1, 3))]
    assert outputs == [("output_0", "FP32", (-1, -1, 5)), ("output_1", "FP32", (-1, "..."))]


def test_several_arguments_want_a_sample(folder: Path) -> None:
    """What neither tracing nor the code tells, a few rows do; a default stays, a dict's outputs go by their keys."""
    without = told(folder / "both.pt")
    assert not without.signatures
    assert "--sample" in without.advice
    info = told(folder / "both.pt", sample=json.loads((folder / "both.sample.json").read_text()))
    inputs, outputs = specs(info)
    assert inputs == [("ids", "INT64", (-1, 3)), ("dense", "FP32", (-1, 2))]
    assert [name for name, _, _ in outputs] == ["logits", "best"]
    assert outputs[1][1] == "INT64"
    assert "Left at their defaults: scale." in info.warnings


def test_a_plain_argument_is_an_input(folder: Path) -> None:
    """`times: int` is a whole number a row."""
    info = told(folder / "scaled.pt", sample=json.loads((folder / "scaled.sample.json").read_text()))
    assert specs(info)[0] == [("x", "FP32", (-1, 3)), ("times", "INT64", (-1,))]


def test_a_whole_module_names_its_code(folder: Path) -> None:
    """Its class is the user's, so it is unknown, and the module is asked for; a Sequential of torch's own is safe and told."""
    for file in ("module.pt", "module_legacy.pt"):
        info = told(folder / file)
        assert (info.root_class, info.missing_modules) == ("network.Net", ("network",))
        assert [one.callable for one in info.safety.findings] == ["network.Net"]
        assert info.details["parameters"] == 100
    layers = told(folder / "layers.pt")
    assert layers.safety.verdict == "safe"
    assert [kind.rpartition(".")[2] for _, kind in layers.steps] == ["Linear", "Tanh", "Linear"]
    assert specs(layers) == ([("input", "FP32", (-1, 4))], [("output", "FP32", (-1, 2))])


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("weights.pt", "state_dict"),
        ("weights_legacy.pth", "state_dict"),
        ("checkpoint.ckpt", "checkpoint"),
        ("weights.safetensors", "safetensors"),
    ],
)
def test_weights_are_counted_and_not_served_alone(folder: Path, file: str, kind: str) -> None:
    """Names, shapes, dtypes, parameters; both ways to serve them; with a maker and a sample there is a signature."""
    info = told(folder / file)
    assert (info.details["kind"], info.details["tensors"], info.details["parameters"]) == (kind, 9, 100)
    assert info.details["first_tensors"]["first.weight"] == "FP32 8x4"
    assert not info.signatures
    assert "--entry pkg.mod:make_model" in info.advice
    assert "predictor: predict.py" in info.advice
    entered = told(folder / file, entry="network:make_model", sample=[[0.5, 1, 2, 3]])
    assert specs(entered)[0] == [("input", "FP32", (-1, 4))]
    assert "network.make_model" in [one.callable for one in entered.safety.findings]
    with pytest.raises(UsageError, match="names no function"):
        told(folder / file, entry="first.weight")


def test_a_checkpoint_says_which_key_holds_the_weights(folder: Path, others: Path) -> None:
    """The state dict among epochs and optimizers; of two the likelier, and the other is listed."""
    info = told(folder / "checkpoint.ckpt")
    assert info.details["state_dict_key"] == "model_state_dict"
    assert [one.key for one in info.contents] == ["epoch", "model_state_dict", "optimizer_state_dict"]
    two = told(others / "two.pt")
    assert two.details["state_dict_key"] == "state_dict"
    assert "ema" in [one.key for one in two.contents]


def test_an_exported_program_tells_its_dimensions(folder: Path, others: Path) -> None:
    """An open batch with its range, a batch of one, a batch of exactly two; torch's own version; what was fixed."""
    info = told(folder / "exported.pt2")
    assert specs(info) == ([("x", "FP32", (-1, 4))], [("output", "FP32", (-1, 3))])
    assert list(info.details["dimensions"].values()) == [[1, 32]]
    assert info.options["max_rows"] == 32
    assert (info.framework_version, info.requirements[0].version) == ("2.13.0", "2.13.0")
    one = told(folder / "one_row.pt2")
    assert one.signatures[0].batch == "one"
    two = told(others / "two_rows.pt2")
    assert two.signatures[0].batch == "none"
    assert specs(two) == (
        [("x", "FP32", (-1, 2, 4)), ("y", "FP32", (-1, 2, 4))],
        [("sum", "FP32", (-1, 2, 4)), ("scaled", "FP32", (-1, 2, 4))],
    )
    assert "Fixed when it was exported: k=3." in two.warnings


def test_a_module_in_a_checkpoint_is_served(folder: Path) -> None:
    """Beside epochs, and of two the likelier; where it is, is told, and the loader is told too."""
    info = told(folder / "held.pt")
    assert specs(info) == ([("input", "FP64", (-1, 4))], [("output", "FP64", (-1, 2))])
    assert "It is a checkpoint whose 'model' is the module." in info.warnings
    assert (info.options["key"], info.details["key"], info.safety.verdict) == ("model", "model", "safe")


def test_what_cannot_be_served_says_what_to_do(others: Path) -> None:
    """torch.package, any other object, a list of tensors: named, with a remedy. An image's size is guessed, and it is told."""
    package = told(others / "package.pt")
    assert (package.root_class, package.details["kind"]) == ("torch.package", "package")
    assert "PackageImporter" in package.advice
    assert told(others / "object.pt").advice
    listed = told(others / "listed.pt")
    assert "the shape of images_0" in listed.warnings[0]
    assert "List[Tensor]" in listed.details["forward"]
    assert "--sample rows.json" in listed.advice
    conv = told(others / "conv.pt")
    assert specs(conv)[0] == [("input", "FP32", (-1, 3, -1, -1))]
    assert conv.signatures[0].sizes == {"input": (3, 224, 224)}
    assert "guessed for the warm-up" in " ".join(conv.warnings)
    image = [[[0.5] * 8] * 8] * 3
    assert specs(told(others / "conv.pt", sample=[image]))[0] == [("input", "FP32", (-1, 3, 8, 8))]
    assert specs(told(others / "double.pt"))[0] == [("input", "FP64", (-1, 4))]


def test_a_dynamically_quantized_model_is_asked_row_by_row(others: Path) -> None:
    """Its scale is that of all rows of a call, so one row's answer would hang on the others; torch's own classes are known."""
    rows = [[0.1, 0.2, 0.3, 0.4]]
    for name in ("quantized.pt", "quantized_module.pt"):
        info = told(others / name, sample=rows)
        assert (info.safety.verdict, info.safety.findings) == ("safe", ())
        assert (info.signatures[0].batch, specs(info)[0]) == (
            "one",
            [(info.signatures[0].inputs[0].name, "FP32", (-1, 4))],
        )
        assert info.warnings == (
            "It quantizes by the value range of a whole call, so each row is predicted in its own call.",
        )


def test_torchscript_that_writes_files_is_dangerous(others: Path) -> None:
    """Its interpreter has an operation that writes a file: the verdict names it."""
    info = told(others / "writes_files.pt")
    assert info.safety.verdict == "dangerous"
    assert [one.callable for one in info.safety.findings] == ["aten::save"]


def test_odd_tensors_are_tensors(others: Path) -> None:
    """Sparse ones and those of bfloat16 are counted like others, and are safe."""
    info = told(others / "sparse.pt")
    assert (info.safety.verdict, info.details["dtypes"]) == ("safe", ["BF16", "FP32"])
    assert info.details["first_tensors"] == {"x": "FP32 3x3", "y": "BF16 2"}
