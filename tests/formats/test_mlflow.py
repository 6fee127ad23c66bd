"""MLflow's folders: seen as the model of their flavour, with the versions and columns that the MLmodel adds."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import xgboost
import yaml
from sklearn.linear_model import LogisticRegression

from mlpack.errors import UnknownFormatError, UnreadableModelError
from mlpack.plugins import load
from tests.formats.answering import inspected
from tests.formats.booster_models import numbers

COLUMNS = json.dumps([{"type": "double", "name": name, "required": True} for name in "abcd"])
LABELS = json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}])


def _folder(path: Path, document: Any, requirements: str = "") -> Path:
    """A folder as MLflow 3 writes it, around a model's own file."""
    path.mkdir(exist_ok=True, parents=True)
    (path / "MLmodel").write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    (path / "requirements.txt").write_text(requirements)
    (path / "conda.yaml").write_text("name: mlflow-env\n")
    return path


def _boosted(path: Path) -> Path:
    table = numbers()
    folder = _folder(
        path,
        {
            "flavors": {
                "python_function": {"loader_module": "mlflow.xgboost", "data": "model.ubj"},
                "xgboost": {
                    "data": "model.ubj",
                    "model_class": "xgboost.sklearn.XGBClassifier",
                    "xgb_version": "3.0.0",
                },
            },
            "mlflow_version": "3.1.0",
            "signature": {"inputs": COLUMNS, "outputs": LABELS},
            "saved_input_example_info": {"artifact_path": "input_example.json"},
        },
        f"mlflow==3.1.0\nxgboost=={xgboost.__version__}\nnumpy==2.1.0\n",
    )
    xgboost.XGBClassifier(n_estimators=3).fit(table, table[:, 0] > 0).save_model(folder / "model.ubj")
    return folder


def test_it_is_the_model_of_its_flavour(tmp_path: Path) -> None:
    """The flavour's own file is what is served, with the names that only the MLmodel knows; MLflow is not asked for."""
    info = inspected(_boosted(tmp_path / "model"))
    assert (info.format, info.path.name) == ("xgboost", "model.ubj")
    assert info.signatures[0].columns == ("a", "b", "c", "d")
    assert [one.distribution for one in info.requirements] == ["xgboost"]
    assert inspected(tmp_path / "model" / "MLmodel") == info
    assert info.details["mlflow"]["flavour"] == "xgboost"
    assert info.details["mlflow"]["input_example"] == "input_example.json"
    assert info.safety.verdict == "safe"


@pytest.mark.parametrize(("kind", "name"), [("zip", "m.zip"), ("gztar", "m.tar.gz")])
@pytest.mark.parametrize("base", ["model", "."])
def test_an_archive_of_the_folder_is_the_folder(tmp_path: Path, kind: str, name: str, base: str) -> None:
    """Packed by itself or with its folder: the same answer, and the flavour's file is what the image gets."""
    plain = inspected(_boosted(tmp_path / "run" / "model"))
    inside = tmp_path / "run" if base == "model" else tmp_path / "run" / "model"
    shutil.make_archive(str(tmp_path / "m"), kind, inside, base if base == "model" else None)
    info = inspected(tmp_path / name)
    assert (info.format, info.packed) == ("xgboost", "model/model.ubj" if base == "model" else "model.ubj")
    assert (info.signatures, info.requirements, info.details) == (plain.signatures, plain.requirements, plain.details)


def test_a_pickled_model_in_an_archive_of_the_folder(tmp_path: Path) -> None:
    """Its own file is a pickle, which is read where the archive is unpacked to; another's bad pickle is told."""
    flavour = {"sklearn": {"pickled_model": "model.pkl", "sklearn_version": "1.5.0"}}
    folder = _folder(tmp_path / "m", {"flavors": flavour})
    (folder / "model.pkl").write_bytes(pickle.dumps(LogisticRegression().fit([[0.0], [1.0]], [0, 1])))
    shutil.make_archive(str(tmp_path / "good"), "zip", folder)
    info = inspected(tmp_path / "good.zip")
    assert (info.packed, info.safety.verdict, info.details["mlflow"]["flavour"]) == ("model.pkl", "safe", "sklearn")
    (folder / "more.bin").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    shutil.make_archive(str(tmp_path / "bad"), "zip", folder)
    assert inspected(tmp_path / "bad.zip").safety.verdict == "dangerous"


class Held:
    """Code of one's own around an estimator: what it takes, its file does not tell."""

    def __init__(self, model: Any) -> None:
        self.model = model


ROW = [0.5, -1.0, 2, 3.25]
RECORD = dict(zip("abcd", ROW, strict=True))


@pytest.mark.parametrize(
    ("written", "rows"),
    [
        ({"columns": list("abcd"), "data": [ROW, ROW]}, (RECORD, RECORD)),
        ({"dataframe_split": {"columns": list("abcd"), "data": [ROW]}}, (RECORD,)),
        ({"columns": [0, 1, 2, 3], "data": [ROW]}, (ROW,)),
        ({"inputs": [ROW, ROW], "params": {"k": 1}}, (ROW, ROW)),
        ([ROW] * 30, (ROW,) * 20),
        ([RECORD], (RECORD,)),
        (RECORD, (RECORD,)),
        ({"inputs": {name: [value, value] for name, value in RECORD.items()}}, (RECORD, RECORD)),
        ([["text", *ROW[1:]]], ()),  # not what the model takes: left alone
        ([ROW[:3]], ()),
        ([{**RECORD, "e": 1}], ()),
        ({"a": {"b": 1}}, ()),
        ("text", ()),
        ({"inputs": {"a": [1], "b": [1, 2]}}, ()),
        ({"columns": list("abcd"), "data": [[1, 2]]}, ()),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_its_input_example_is_the_sample(tmp_path: Path, written: Any, rows: tuple[Any, ...], packed: bool) -> None:
    """Every way in which MLflow writes one; one that the model would refuse is left alone, the user's own comes first."""
    folder = _boosted(tmp_path / "m")
    (folder / "input_example.json").write_text(json.dumps(written))
    path = Path(shutil.make_archive(str(tmp_path / "m"), "zip", folder)) if packed else folder
    assert inspected(path).sample == rows


def test_what_a_file_does_not_tell_its_example_does(tmp_path: Path) -> None:
    """An estimator of nobody's has no signature without rows; a huge, missing or broken example is none."""
    flavour = {"sklearn": {"pickled_model": "model.pkl"}}
    example = {"saved_input_example_info": {"artifact_path": "example.json"}}
    folder = _folder(tmp_path / "m", {"flavors": flavour, **example})
    (folder / "model.pkl").write_bytes(pickle.dumps(Held(LogisticRegression().fit([[0, 1, 2], [1, 0, 2]], [0, 1]))))
    assert inspected(folder).signatures == ()
    (folder / "example.json").write_text("[[1, 2.5, 3]]")
    info = inspected(folder)
    assert info.signatures[0].inputs[0].shape == (-1, 3)
    assert info.sample == ([1, 2.5, 3],)
    for text in ("[[1,", "[" * 100_000, "[[1, 2.5, 3]," + " " * (5 << 20) + "]"):
        (folder / "example.json").write_text(text)
        assert inspected(folder).sample == ()


def test_its_requirements_are_pins(tmp_path: Path) -> None:
    """What the model's file does not record is what requirements.txt says; what it records stays."""
    table = numbers()
    document = {"flavors": {"sklearn": {"pickled_model": "model.pkl", "sklearn_version": "9.9.9"}}}
    folder = _folder(tmp_path / "m", document, "scikit-learn==9.9.9\nnumpy==2.2.0 ; python_version > '3'\npandas>=2\n")
    (folder / "model.pkl").write_bytes(pickle.dumps(LogisticRegression().fit(table, table[:, 0] > 0)))
    pins = {one.distribution: one.version for one in inspected(folder).requirements}
    assert pins["numpy"] == "2.2.0"
    assert pins["scikit-learn"] != "9.9.9"


def test_a_folder_that_only_python_loads(tmp_path: Path) -> None:
    """A pyfunc model is recognised; init writes a predictor that loads it, with the columns of its signature."""
    document = {
        "flavors": {"python_function": {"loader_module": "mlflow.pyfunc.model", "python_model": "python_model.pkl"}},
        "signature": {
            "inputs": '[{"type": "double", "name": "a"}, {"type": "string", "name": "b"}]',
            "outputs": '[{"type": "string"}]',
        },
    }
    folder = _folder(tmp_path / "m", document)
    (folder / "requirements.txt").write_text("mlflow==3.1.0\nscikit-learn==1.6.1\nsome-unknown-package==1.0\n")
    info = inspected(folder)
    assert (info.format, info.signatures) == ("mlflow", ())
    assert "mlpack init" in info.advice
    needed = {one.distribution: one.version for one in info.requirements}
    assert needed == {"mlflow-skinny": "3.1.0", "pandas": None, "scikit-learn": "1.6.1"}  # no other name from the file
    text = load("formats", "mlflow")().predictor_stub(info)
    assert text is not None
    compile(text, "predict.py", "exec")
    assert "INPUTS = {'a': 'FP64', 'b': 'BYTES'}" in text


@pytest.mark.parametrize(
    "document",
    [
        "flavors: [",
        "just text",
        {"flavors": {}},
        {"flavors": {"xgboost": {"data": "../../etc/passwd"}}},
        {"flavors": {"xgboost": {"data": "/etc/passwd"}}},
        {"flavors": {"xgboost": {"data": "not-there.ubj"}}},
        "a: &a [1, 1]\nb: &b [*a, *a]\nflavors: !!python/object/apply:os.system ['id']\n",
    ],
)
def test_a_broken_mlmodel(document: Any, tmp_path: Path) -> None:
    """Broken YAML, no flavours, paths that lead out of the folder, tags of Python: told, and nothing is run or read."""
    with pytest.raises(UnreadableModelError) as raised:
        inspected(_folder(tmp_path / "m", document))
    assert raised.value.hint


def test_an_mlmodel_that_names_itself(tmp_path: Path) -> None:
    """As the model of its flavour: no model, in a folder and in an archive, and the search has an end."""
    folder = _folder(tmp_path / "m", {"flavors": {"xgboost": {"data": "MLmodel"}}})
    for named in (folder, folder / "MLmodel"):
        with pytest.raises(UnknownFormatError, match="MLmodel is plain text"):
            inspected(named)
    packed = shutil.make_archive(str(tmp_path / "m"), "zip", folder)
    assert inspected(Path(packed)).advice


@pytest.mark.slow
@pytest.mark.network
def test_what_mlflow_itself_writes(tmp_path: Path, python_with: Any) -> None:
    """Folders of the installed MLflow's flavours are read; each is served by its own format."""
    import subprocess

    program = Path(__file__).with_name("make_mlflow_models.py")
    python = python_with("mlflow-skinny", "scikit-learn", "skops", "xgboost-cpu", "lightgbm", "pandas")
    subprocess.run([python, program, tmp_path], check=True, capture_output=True)
    found = {folder.name: inspected(folder) for folder in sorted(tmp_path.iterdir())}
    assert {name: info.format for name, info in found.items()} == {
        "lightgbm": "lightgbm", "pickled": "sklearn", "pyfunc": "mlflow", "sklearn": "sklearn", "xgboost": "xgboost",
    }  # fmt: skip
    for name in ("sklearn", "pickled", "xgboost"):
        assert found[name].signatures[0].columns == ("a", "b", "c", "d"), name
    assert found["lightgbm"].framework_version, "requirements.txt tells LightGBM's version, which its own file does not"
