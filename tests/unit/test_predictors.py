"""A user's predict.py before it runs: what it is read to be, and how the service is asked because of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.artifacts.model import ModelInfo, Signature
from mlpack.artifacts.prepared import Prepared
from mlpack.errors import ConfigError, ModelError, ResolveError, UnsafeModelError
from mlpack.formats.sklearn import SklearnFormat
from mlpack.pipeline.inspect import inspect
from mlpack.pipeline.prepare import PrepareOptions, prepare
from mlpack.usercode.predictors import read_contract, signatures_for
from mlpack.usercode.python_source import parse_source
from tests.unit.locks import make_lock


@pytest.fixture
def info(tmp_path: Path) -> ModelInfo:
    """A classifier on a named matrix, with two methods."""
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04N.")
    return make_lock(tmp_path / "model.pkl").info


def asked(text: str, info: ModelInfo) -> tuple[Signature, ...]:
    return signatures_for(read_contract(parse_source(text, "predict.py")), info, None)


def test_rows_as_they_come(info: ModelInfo) -> None:
    """A predictor that takes rows gets any JSON, and answers any: one signature, and requests are not joined."""
    (one,) = asked("async def predict(model, rows): ...", info)
    assert (one.raw, one.batchable, one.classes) == (("instances", "predictions"), False, None)
    assert [spec.name for spec in one.inputs] == ["instances"]


def test_inputs_are_the_models_own(info: ModelInfo) -> None:
    """A predictor that asks for `inputs` gets what the model's signature checks; its answers are its own."""
    (one,) = asked("def predict(model, inputs): ...", info)
    assert (one.inputs, one.columns, one.raw) == (
        info.signatures[0].inputs,
        info.signatures[0].columns,
        ("predictions",),
    )


def test_a_preprocess_leaves_the_answers_alone(info: ModelInfo) -> None:
    """What the model answers stays declared where only the rows are changed before it."""
    (one,) = asked("def preprocess(instances): ...", info)
    assert (one.raw, one.outputs, one.classes) == (("instances",), info.signatures[0].outputs, info.classes)


def test_a_load_alone_keeps_every_method(info: ModelInfo) -> None:
    """An own `load` changes nothing else; a function that takes `signature` answers for each of them."""
    assert asked("def load(path): ...", info) == tuple(replace(one, batchable=False) for one in info.signatures)
    both = asked("def predict(model, signature, inputs): ...", info)
    assert [one.method for one in both] == ["predict", "predict_proba"]


def test_declared_inputs_and_outputs(info: ModelInfo) -> None:
    """INPUTS and OUTPUTS are read as they stand, and rows are checked against them."""
    text = 'INPUTS = {"area": "FP64", "city": "BYTES"}\nOUTPUTS: dict = {"price": ("FP64", [-1, 2])}\ndef predict(model, instances): ...'
    (one,) = asked(text, info)
    assert [(spec.name, spec.dtype) for spec in one.inputs] == [("area", "FP64"), ("city", "BYTES")]
    assert (one.layout, one.columns, one.raw) == ("columns", ("area", "city"), ())
    assert one.outputs[0].shape == (-1, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def forecast(x): ...", "defines none of load, preprocess, predict, postprocess; it has forecast"),
        ("def predict(:", "cannot be parsed as Python"),
        ("INPUTS = make()\ndef predict(m, x): ...", r"predict\.py:1: INPUTS is computed"),
        ("INPUTS = {'a': 'float'}\ndef predict(m, x): ...", "is not a data type"),
        ("INPUTS = ['a']\ndef predict(m, x): ...", "is not a dict"),
    ],
)
def test_what_is_no_predictor_is_told(info: ModelInfo, text: str, said: str) -> None:
    """A file that cannot answer is refused before anything is built, with what is wrong in it."""
    with pytest.raises(ConfigError, match=said) as told:
        asked(text, info)
    assert told.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def load(path): ...", "defines no predict, and no format recognises the file"),
        ("def predict(model, rows): ...", "defines no load"),
        (
            "def load(path): ...\ndef predict(model, inputs): ...",
            "takes `inputs`, but neither it nor the file declares them",
        ),
    ],
)
def test_what_an_unknown_file_needs_is_told(info: ModelInfo, text: str, said: str) -> None:
    """With a file that no format knows, predict.py must do what a format would have done."""
    unknown = replace(info, framework=None, signatures=(), format="own")
    with pytest.raises(ConfigError, match=said):
        asked(text, unknown)


# the whole step ---------------------------------------------------------------------------------------


def prepared(path: Path, predictor: str | None = None, **more: object) -> Prepared:
    folder = path.parent
    if predictor is not None:
        more["predictor"] = folder.parent / "predict.py"
        (folder.parent / "predict.py").write_text(predictor)
    options = PrepareOptions(folder=folder, **more)  # type: ignore[arg-type]  # the test names real fields
    found = inspect(path, formats=[SklearnFormat()], sample=options.sample or (), opaque=options.predictor is not None)
    return prepare(found, options)


BOTH = "import json\nimport pandas\ndef load(path): ...\ndef predict(model, instances): ...\n"


def test_a_file_that_no_format_knows_is_packed_with_a_predictor(tmp_path: Path) -> None:
    """Weights in JSON: no framework, the predictor's imports and numpy, one raw signature."""
    path = tmp_path / "model" / "weights.json"
    path.parent.mkdir()
    path.write_text("{}")
    found = prepared(path, BOTH, sample=[{"a": 1}])
    assert (found.info.format, found.info.framework, found.info.safety.verdict) == ("own", None, "safe")
    assert [one.distribution for one in found.info.requirements] == ["numpy", "pandas"]
    assert found.code is not None
    assert (found.code.predictor, [file.name for file in found.code.files]) == ("predict", ["code/predict.py"])
    with pytest.raises(ModelError, match="no supported format"):
        prepared(path)


def test_a_raw_predictor_needs_a_sample(tmp_path: Path) -> None:
    """Without a row to warm up with, readiness would mean nothing: it is asked for."""
    path = tmp_path / "model" / "weights.json"
    path.parent.mkdir()
    path.write_text("{}")
    with pytest.raises(ConfigError, match="there are no sample rows") as told:
        prepared(path, BOTH)
    assert "--sample" in told.value.hint


def test_a_predictor_does_not_wash_a_dangerous_pickle(tmp_path: Path) -> None:
    """A pickle that calls os.system is refused, alone or in a folder, whoever is to load it."""
    folder = tmp_path / "model"
    folder.mkdir()
    path = folder / "weights.pkl"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    (folder / "vocabulary.txt").write_text("a b")
    (folder / "weights.json").write_text("{}")
    with pytest.raises(UnsafeModelError, match=r"os\.system"):
        prepared(path, BOTH, sample=[1], trust=True)
    with pytest.raises(UnsafeModelError, match=r"os\.system"):
        prepared(folder, BOTH, sample=[1], trust=True)
    path.unlink()
    assert prepared(folder, BOTH, sample=[1]).info.size == 5


def test_what_is_broken_stays_broken(tmp_path: Path) -> None:
    """A predictor does not make a cut-off file readable."""
    path = tmp_path / "model" / "weights.pkl"
    path.parent.mkdir()
    path.write_bytes(b"\x80\x04\x95")
    with pytest.raises(ModelError, match="cannot be read"):
        prepared(path, BOTH, sample=[1])


@pytest.mark.parametrize(
    ("told", "chosen", "outcome"),
    [
        (["3.11"], None, "3.11"),
        (["3.8", "3.9"], "3.9", "3.9"),
        (["3.8", "3.9"], None, "--python 3.9"),
        (["3.11"], "3.12", "Leave `python:` out"),
        ([], "3.13", "3.13"),
        ([], None, "--python"),
    ],
)
def test_the_python_of_code_in_the_file(info: ModelInfo, told: list[str], chosen: str | None, outcome: str) -> None:
    """Bytecode runs on the minor version that made it: taken where the file tells it, asked for where it does not."""
    carrying = replace(info, details={"by_value": {"tool": "cloudpickle", "pythons": told}})

    def run() -> str | None:
        return prepare(carrying, PrepareOptions(python=chosen, folder=carrying.path.parent)).python

    if outcome.startswith("3."):
        assert run() == outcome
    else:
        with pytest.raises(ResolveError, match="compiled") as error:
            run()
        assert outcome in error.value.hint
