"""Bundles: the part of each object, what an entry leaves out, and the predict.py that calls the parts one after the other."""

from __future__ import annotations

import ast
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.preprocessing import LabelEncoder, StandardScaler
from typer.testing import CliRunner

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.notice import NoticeCode
from mlpack.cli.app import app
from mlpack.errors import AmbiguousFormatError, ModelError
from mlpack.pipeline.inspect import inspect
from mlpack.plugins import load
from tests.unit.formats.fitted import inspected, refuse_unservable

TABLE = pd.DataFrame({"age": [20.0, 30.0, 40.0, 50.0], "debt": [1.0, 9.0, 2.0, 8.0]})
LABELS = ["accept", "reject", "accept", "reject"]
ENCODER = LabelEncoder().fit(LABELS)
MODEL = LogisticRegression().fit(TABLE, ENCODER.transform(LABELS))
TEXTS = ["free money", "hello friend", "win money", "see you friend"]
VECTORIZER = TfidfVectorizer().fit(TEXTS)
SPAM = MultinomialNB().fit(VECTORIZER.transform(TEXTS), ["spam", "ham", "spam", "ham"])
RECORDS = [{"from": "a", "km": 1.0}, {"from": "b", "km": 2.0}]
DICTS = DictVectorizer().fit(RECORDS)
PRICE = LinearRegression().fit(DICTS.transform(RECORDS), [3.0, 7.0])
SCALER = StandardScaler().fit(TABLE.to_numpy())
SCALED = LogisticRegression().fit(SCALER.transform(TABLE.to_numpy()), [0, 1, 0, 1])
CITY = LabelEncoder().fit(["Bonn", "Ulm"])
BY_CITY = LinearRegression().fit(pd.DataFrame({"city": [0, 1], "area": [3.0, 4.0]}), [1.0, 2.0])


def stub(info: ModelInfo) -> str:
    text = load("formats", "sklearn")().predictor_stub(info)
    assert text is not None
    ast.parse(text)
    return str(text)


def answers(text: str, model: Any, rows: list[Any]) -> Any:
    scope: dict[str, Any] = {}
    exec(text, scope)
    return scope["predict"](model, scope["preprocess"](model, rows))


CHAINS = {
    "labels": (
        {"model": MODEL, "label_encoder": ENCODER, "features": ["age", "debt"]},
        TABLE.to_dict("records"),
        ENCODER.inverse_transform(MODEL.predict(TABLE)).tolist(),
    ),
    "threshold": (
        {"model": MODEL, "label_encoder": ENCODER, "threshold": 0.001},
        TABLE.to_dict("records"),
        ENCODER.inverse_transform((MODEL.predict_proba(TABLE)[:, 1] > 0.001).astype(int)).tolist(),
    ),
    "texts": ((VECTORIZER, SPAM), TEXTS, SPAM.predict(VECTORIZER.transform(TEXTS)).tolist()),
    "records": ([DICTS, PRICE], RECORDS, PRICE.predict(DICTS.transform(RECORDS)).tolist()),
    "scaler": (
        OrderedDict([("model", SCALED), ("scaler", SCALER), ("metrics", {"auc": 0.9})]),
        TABLE.to_numpy().tolist(),
        SCALED.predict(SCALER.transform(TABLE.to_numpy())).tolist(),
    ),
    "encoders": (
        {"encoders": {"city": CITY}, "model": BY_CITY},
        [{"city": "Ulm", "area": 4.0}],
        [2.0],
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_predictor_answers_as_the_parts_did_together(name: str, tmp_path: Path) -> None:
    """Vectorizer, scaler, encoders of columns, model, threshold, label encoder: in this order."""
    bundle, rows, wanted = CHAINS[name]
    got = answers(stub(inspected(bundle, tmp_path)), bundle, rows)
    assert got == pytest.approx(wanted) if isinstance(wanted[0], float) else got == wanted


def test_columns_that_the_model_knows_are_declared(tmp_path: Path) -> None:
    """So that no sample is needed."""
    text = stub(inspected(CHAINS["threshold"][0], tmp_path))
    assert "INPUTS = {'age': 'FP64', 'debt': 'FP64'}" in text


@pytest.mark.parametrize("key", ["model'] + [__import__('os')", '"""\nimport os', "a\\", "\u202emodel"])
def test_a_key_is_only_a_literal_in_the_code(key: str, tmp_path: Path) -> None:
    """A hostile key cannot add code: the file has the same statements as for any other key."""
    kinds = [
        [type(node) for node in ast.parse(stub(inspected({one: MODEL, "le": ENCODER}, tmp_path))).body]
        for one in (key, "model")
    ]
    assert kinds[0] == kinds[1]
    bundle = {key: MODEL, "le": ENCODER}
    assert answers(stub(inspected(bundle, tmp_path)), bundle, TABLE.to_dict("records")) == LABELS


@pytest.mark.parametrize(
    "bundle",
    [
        [MODEL, MODEL],
        {"model": MODEL, "metrics": {"auc": 0.9}},
        {None: MODEL, "le": ENCODER},
    ],
    ids=["two models", "nothing takes part", "a key that is no text"],
)
def test_what_is_not_understood_is_not_chained(bundle: Any, tmp_path: Path) -> None:
    """No predict.py is better than a wrong one."""
    assert load("formats", "sklearn")().predictor_stub(inspected(bundle, tmp_path)) is None


def test_an_entry_says_what_it_leaves_out(tmp_path: Path) -> None:
    """Parts that change the answer; columns and metrics do not."""
    bundle = {"model": MODEL, "label_encoder": ENCODER, "features": ["age", "debt"], "threshold": 0.42, "auc": 0.9}
    info = inspected(bundle, tmp_path, entry="model")
    (notice,) = [one for one in info.notices if one.code is NoticeCode.LEFT_OUT]
    assert "label encoder label_encoder (LabelEncoder), threshold threshold (0.42)." in notice.text
    assert "features" not in notice.text
    plain = inspected({"model": MODEL, "auc": 0.9}, tmp_path, entry="model")
    assert not [one for one in plain.notices if one.code is NoticeCode.LEFT_OUT]


class Wrapper:
    """A class of the user's own that holds a model and its threshold."""

    def __init__(self) -> None:
        self.model = MODEL
        self.threshold = 0.3


def test_an_attribute_of_an_own_class_leaves_the_class_out(tmp_path: Path) -> None:
    """Then the whole object is the better choice, and there is no predict.py to write."""
    info = inspected(Wrapper(), tmp_path, entry="model")
    (notice,) = [one for one in info.notices if one.code is NoticeCode.LEFT_OUT]
    assert "threshold threshold (0.3)" in notice.text
    assert "leave --entry out" in notice.text


def test_the_model_is_named_first_and_the_predictor_beside_it(tmp_path: Path) -> None:
    """Not the vectorizer, which merely comes first in the file."""
    with pytest.raises(AmbiguousFormatError) as caught:
        refuse_unservable(inspected((DICTS, PRICE), tmp_path))
    assert "--entry 1" in caught.value.hint
    assert "predictor" in caught.value.hint


def folder_of(folder: Path, **files: Any) -> Path:
    folder.mkdir()
    for name, value in files.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(value))
    return folder


def described(path: Path, *, opaque: bool = False) -> ModelInfo:
    return inspect(path, formats=[load("formats", "sklearn")()], opaque=opaque)


def test_a_folder_of_parts_is_one_model(tmp_path: Path) -> None:
    """It is described, is not served without a predictor, and its predict.py loads the files."""
    folder = folder_of(tmp_path / "app", vectorizer=VECTORIZER, model=SPAM)
    info = described(folder)
    assert {one.key: one.role for one in info.contents} == {"vectorizer.pkl": "vectorizer", "model.pkl": "model"}
    assert "scikit-learn" in [one.distribution for one in info.requirements]
    with pytest.raises(ModelError, match="parts of a model") as caught:
        refuse_unservable(info)
    assert "mlpack init" in caught.value.hint
    text = stub(info)
    scope: dict[str, Any] = {}
    exec(text, scope)
    wanted = SPAM.predict(VECTORIZER.transform(TEXTS)).tolist()
    loaded = scope["load"](str(folder))
    assert scope["predict"](loaded, scope["preprocess"](loaded, TEXTS)) == wanted


def test_a_folder_of_two_models_stays_ambiguous(tmp_path: Path) -> None:
    """Only files that play different parts belong together."""
    with pytest.raises(AmbiguousFormatError):
        described(folder_of(tmp_path / "app", a=MODEL, b=MODEL))


def test_a_predictor_over_a_folder_brings_the_packages_of_all_its_files(tmp_path: Path) -> None:
    """Also of files that no format recognises, with the versions that files record."""
    folder = folder_of(tmp_path / "app", a=MODEL, b=MODEL, table=pd.DataFrame({"x": [1.0]}), array=np.zeros(2))
    found = {one.distribution: one.version for one in described(folder, opaque=True).requirements}
    assert found.keys() >= {"scikit-learn", "pandas", "numpy"}
    assert found["scikit-learn"] is not None


def test_init_writes_the_predictor_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a file and for a folder; mlpack.yaml in a folder names the folder itself, and no entry."""
    monkeypatch.chdir(tmp_path)
    folder = folder_of(tmp_path / "app", vectorizer=VECTORIZER, model=SPAM)
    (tmp_path / "bundle.pkl").write_bytes(pickle.dumps((VECTORIZER, SPAM)))
    for name, where in (("app", folder), ("bundle.pkl", tmp_path)):
        ended = CliRunner().invoke(app, ["init", name])
        assert ended.exit_code == 0, ended.output
        settings = (where / "mlpack.yaml").read_text()
        assert (where / "predict.py").is_file()
        assert 'predictor: "predict.py"' in settings
        assert "\nentry:" not in settings
    assert 'model: "."' in (folder / "mlpack.yaml").read_text()
