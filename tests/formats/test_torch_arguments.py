"""TorchScript models that take and give dictionaries, lists and tuples of tensors: asked by names, answered as torch answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import UnknownFormatError
from mlpack.formats.pytorch import TorchFormat
from mlpack.pipeline.inspect import inspect
from tests.formats.frameworks import GUARD, made, run

pytestmark = pytest.mark.slow

MAKER = "make_grouped_models.py"
OUTPUTS = {
    "keyed": ["sum", "best"],
    "traced": ["sum", "best"],
    "listed": ["output_0", "output_1"],
    "paired": ["left", "right"],
    "nested": ["output_0", "output_1_0", "output_1_1.twice"],
    "masked": ["output_0", "output_1_0", "output_1_1.twice"],
    "any": ["output"],
    "pair": ["output"],
}


@pytest.fixture(scope="module")
def folder() -> Path:
    """The models, with torch's own answers."""
    return made(MAKER, "made")


def told(path: Path, sample: Any = ()) -> ModelInfo:
    return inspect(path, formats=[TorchFormat()], sample=sample)


def rows(inputs: dict[str, list[Any]], count: int = 3) -> list[dict[str, Any]]:
    return [{name: values[row] for name, values in inputs.items()} for row in range(count)]


def test_they_answer_as_torch(folder: Path, tmp_path: Path) -> None:
    """Sixty rows each: every output by the name and type that the card declares, its values those of torch."""
    known = json.loads((folder / "answers.json").read_text())
    cards = {}
    for name, names in OUTPUTS.items():
        info = told(folder / f"{name}.pt", rows(known[name]["inputs"]) if name in ("keyed", "masked", "any") else ())
        assert [one.name for one in info.signatures[0].outputs] == names
        assert [one.name for one in info.signatures[0].inputs] == list(known[name]["inputs"])
        found = info.to_json()
        cards[name] = {"signature": found["signatures"][0], "options": dict(info.options), "guard": found["guard"]}
    (tmp_path / "cards.json").write_text(json.dumps(cards))
    maker, loader = Path(__file__).with_name(MAKER), TorchFormat().loader
    said = run(str(maker), str(folder), "answer", str(tmp_path / "cards.json"), str(loader), str(GUARD))
    for name, answered in json.loads(said).items():
        assert list(answered) == OUTPUTS[name]
        for spec, (dtype, values), wanted in zip(
            cards[name]["signature"]["outputs"], answered.values(), known[name]["answer"], strict=True
        ):
            assert dtype == {"FP32": "float32", "INT64": "int64"}[spec["dtype"]]
            np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=1e-6)


def test_what_the_code_does_not_tell_is_asked_for(folder: Path) -> None:
    """Keys that it goes through, shapes that no layer wants: with a row's form; an optional tensor stays at its default."""
    mute = told(folder / "any.pt")
    assert not mute.signatures
    assert "the code does not show its keys" in mute.warnings[-1]
    assert '--sample rows.json, a list of records ({"KEY": ..., ...})' in mute.advice
    keyed = told(folder / "keyed.pt")
    assert not keyed.signatures
    assert '{"dense": ..., "shift": ...}' in keyed.advice
    assert "Left at their defaults: mask." in told(folder / "nested.pt").warnings
    assert not any("defaults" in one for one in told(folder / "masked.pt", [{"x": [0.5] * 4, "mask": 1.5}]).warnings)


def test_a_number_among_the_answers_is_told(folder: Path) -> None:
    """It has no row for each row, so the model is left to a predictor."""
    info = told(folder / "counted.pt")
    assert not info.signatures
    assert "forward returns Tuple[Tensor, int], and int is not a tensor" in info.warnings[-1]
    assert "predictor: predict.py" in info.advice


def test_tuples_that_torch_saved(folder: Path) -> None:
    """(model, optimizer) is the model, (weights, optimizer) the weights; of several models none is chosen; the rest is named."""
    assert told(folder / "pair.pt").warnings[-1] == "It is a checkpoint whose '0' is the module."
    states = told(folder / "states.pt")
    assert (states.details["state_dict_key"], states.details["parameters"]) == ("0", 58)
    for name, what in (
        ("ensemble", "a list of 2 modules"),
        ("optimizer", "an optimizer's state"),
        ("rows", "a tensor"),
    ):
        info = told(folder / f"{name}.pt")
        assert info.warnings == (f"No signature: it is {what} saved by torch.",)
        assert info.advice


def test_what_pickle_wrote_is_to_be_saved_by_torch(folder: Path) -> None:
    """Its tensors are files of torch's in the file, which nothing looks at before they are loaded: told, with what to do."""
    with pytest.raises(UnknownFormatError, match="Sequential with torch's tensors in it") as refused:
        told(folder / "pickled.pkl")
    assert "torch.save(model, 'model.pt')" in str(refused.value.hint)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("config.json", {"model_type": "bert"}, "a Hugging Face model (bert)"),
        ("adapter_config.json", {"peft_type": "LORA"}, "an adapter of PEFT's"),
        ("modules.json", [{"idx": 0}], "a sentence-transformers model"),
        ("config.json", {"learning_rate": 1}, ""),
    ],
)
def test_weights_in_a_library_s_folder(folder: Path, tmp_path: Path, file: str, content: Any, words: str) -> None:
    """The folder's own configuration says which library reads it; the weights are judged and listed as ever."""
    (tmp_path / "pytorch_model.bin").write_bytes((folder / "states.pt").read_bytes())
    (tmp_path / file).write_text(json.dumps(content))
    info = told(tmp_path)
    assert (info.safety.verdict, info.details["parameters"]) == ("safe", 58)
    assert words in info.advice
    assert ("from_pretrained" in info.advice or "SentenceTransformer" in info.advice) == bool(words)
    assert "--entry pkg.mod:make_model" in info.advice
