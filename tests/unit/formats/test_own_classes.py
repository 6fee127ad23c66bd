"""A class of the user's own: its answers come in the form that it gives them, and its source tells how it is called."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression

from mlpack.artifacts.model import ModelInfo, OwnClass, Safety, TensorSpec
from mlpack.errors import ModelError
from mlpack.formats.pytorch.sampled_inputs import arguments_of_rows, inputs_of_rows, signature_of
from mlpack.runtime.card import Signature
from mlpack.runtime.protocols.encoding.answers import predictions
from mlpack.usercode.coverage import find_coverage
from tests.loading import module_at
from tests.unit.formats.fitted import inspected, refuse_unservable

LOADER = module_at(Path(__file__).parents[3] / "mlpack" / "formats" / "sklearn" / "loader", "sklearn_loader_own")
ROWS = [{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 4.0}]


class Wrapper:
    """Predicts what it was told."""

    def __init__(self, answer: Any, model: Any = None) -> None:
        self.answer = answer
        self.model = model

    def predict(self, _rows: Any) -> Any:
        """Answer."""
        return self.answer


class Stamped(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator that scikit-learn stamps with its version."""

    def fit(self, _rows: Any, _labels: Any = None) -> Stamped:
        """Be fitted."""
        self.n_features_in_ = 2
        self.model_ = LinearRegression().fit([[0.0, 0.0], [1.0, 1.0]], [0.0, 1.0])
        return self

    def predict(self, rows: Any) -> list[str]:
        """Answer."""
        return ["yes" for _ in rows]


def describe(model: Any, folder: Path) -> ModelInfo:
    """What inspection finds; the class counts as covered."""
    return replace(inspected(model, folder, sample=ROWS), safety=Safety(verdict="safe"))


def answered(info: ModelInfo, model: Any, method: str = "predict") -> Any:
    signature = Signature.from_json({one.method: one for one in info.signatures}[method].to_json())
    inputs = {"a": np.array([1.0, 3.0]), "b": np.array([2.0, 4.0])}
    if signature.layout == "matrix":
        inputs = {"input": np.array([[1.0, 2.0], [3.0, 4.0]])}
    return predictions(LOADER.predict(LOADER.wrap(model), signature, inputs))


@pytest.mark.parametrize(
    "answer",
    [
        ["leaves", "stays"],
        [0.5, 1.5],
        [1, 2],
        [True, False],
        [True, 0.5],
        ["leaves", None],
        [{"label": "leaves", "p": 0.5}, {"label": "stays", "p": 1.5}],
        [[1, 2], [3, 4]],
        [[1, 2], [3]],
        [[[1, 2], [3, 4]], [[5, 6], [7, 8]]],
        [["a", 0.5], ["b", 1.5]],
        [{}, {}],
    ],
    ids=str,
)
def test_a_list_has_one_entry_a_row(answer: list[Any], tmp_path: Path) -> None:
    """Labels, numbers, dictionaries, lists: each row's entry comes as it is, and rows are never transposed."""
    model = Wrapper(answer, LinearRegression().fit([[0.0, 0.0], [1.0, 1.0]], [0.0, 1.0]))
    got = answered(describe(model, tmp_path), model)
    assert got == answer
    assert [type(one) for one in got] == [type(one) for one in answer]


def test_arrays_in_a_list_are_rows_and_tables_of_probabilities_are_outputs(tmp_path: Path) -> None:
    """Only scikit-learn's own form for several outputs is put together by output."""
    inner = LinearRegression().fit([[0.0, 0.0], [1.0, 1.0]], [0.0, 1.0])
    model = Wrapper([np.array([1, 2, 3]), np.array([4, 5, 6])], inner)
    assert answered(describe(model, tmp_path), model) == [[1, 2, 3], [4, 5, 6]]
    rows = np.arange(16.0).reshape(8, 2)
    forest = RandomForestClassifier(3, random_state=0).fit(rows, np.array([[0, 1], [1, 0]] * 4))
    tables = forest.predict_proba(rows[:2])
    got = answered(inspected(forest, tmp_path), forest, "predict_proba")
    assert [one["predict_proba_0"] for one in got] == tables[0].tolist()


@pytest.mark.parametrize(
    "answer", [{"label": ["x", "y"], "p": [0.5, 1.5]}, pd.DataFrame({"label": ["x", "y"], "p": [0.5, 1.5]})]
)
def test_columns_by_name_are_an_object_a_row(answer: Any, tmp_path: Path) -> None:
    """A dictionary or DataFrame of columns keeps the names."""
    model = Wrapper(answer, LinearRegression().fit([[0.0, 0.0], [1.0, 1.0]], [0.0, 1.0]))
    assert answered(describe(model, tmp_path), model) == [{"label": "x", "p": 0.5}, {"label": "y", "p": 1.5}]


def covered(info: ModelInfo, folder: Path, text: str) -> ModelInfo:
    (folder / "own.py").write_text(text)
    name = "own." + info.own_class.name.rpartition(".")[2] if info.own_class else ""
    own = None if info.own_class is None else replace(info.own_class, name=name)
    return find_coverage(replace(info, own_class=own), include=(folder / "own.py",), cwd=folder).info


def methods(info: ModelInfo) -> list[str]:
    return [one.method for one in info.signatures]


def test_only_methods_of_the_class_are_offered(tmp_path: Path) -> None:
    """The source tells which it has, also through a base of the same file and an import."""
    model = Wrapper([0.5, 1.5], LinearRegression().fit([[0.0, 0.0], [1.0, 1.0]], [0.0, 1.0]))
    found = describe(model, tmp_path)
    text = "class Wrapper:\n    def predict(self, df):\n        return []\n"
    assert methods(covered(found, tmp_path, text)) == ["predict"]
    based = "class Base:\n    def predict_proba(self, df): ...\nclass Wrapper(Base):\n    def predict(self, df): ...\n"
    assert methods(covered(found, tmp_path, based)) == ["predict", "predict_proba"]


@pytest.mark.parametrize(
    "text",
    [
        "from other import Base\nclass Wrapper(Base):\n    pass\n",
        "class Wrapper:\n    def __getattr__(self, name): ...\n",
        "class Wrapper:\n    def __init__(self, m):\n        self.predict = m.predict\n",
    ],
)
def test_a_class_that_may_have_more_methods_keeps_them(text: str, tmp_path: Path) -> None:
    """Where reading does not tell, scikit-learn's conventions count."""
    (tmp_path / "other.py").write_text("import nowhere\n")
    found = describe(Wrapper([0.5, 1.5], LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])), tmp_path)
    (tmp_path / "own.py").write_text(text)
    own = OwnClass(name="own.Wrapper", signatures=found.own_class.signatures if found.own_class else ())
    info = find_coverage(
        replace(found, own_class=own), include=(tmp_path / "own.py",), requirements=("other",), cwd=tmp_path
    ).info
    assert methods(info) == methods(found)


def test_an_own_estimator_answers_predict_if_its_source_has_it(tmp_path: Path) -> None:
    """scikit-learn's stamp does not make a transformer of it."""
    model = Stamped().fit([])
    found = describe(model, tmp_path)
    text = "from sklearn.base import BaseEstimator\nclass Stamped(BaseEstimator):\n    def predict(self, rows): ...\n"
    info = covered(found, tmp_path, text)
    assert methods(info) == ["predict"]
    assert answered(info, model) == ["yes", "yes"]


def test_a_class_without_a_method_that_predicts_is_refused_with_the_reason(tmp_path: Path) -> None:
    """The message names the methods that it has."""
    found = describe(Wrapper([], LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])), tmp_path)
    info = covered(found, tmp_path, "class Wrapper:\n    def score_all(self, df): ...\n")
    with pytest.raises(ModelError, match="it has score_all"):
        refuse_unservable(info)


FORWARD = "from torch import nn\nclass Ranker(nn.Module):\n    def forward(self, user_id, item_id, bias=None):\n        return 0\n"


def ranker(rows: list[Any], folder: Path) -> ModelInfo:
    inputs = inputs_of_rows(rows)
    outputs = (TensorSpec(name="output", dtype="FP32", shape=(-1, "...")),)
    info = describe(Wrapper([], LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])), folder)
    signatures = (signature_of(inputs, outputs),) if inputs else ()
    own = OwnClass(name="own.Ranker", arguments=arguments_of_rows(rows))
    (folder / "own.py").write_text(FORWARD)
    changed = replace(info, signatures=signatures, own_class=own)
    return find_coverage(changed, include=(folder / "own.py",), requirements=("torch",), cwd=folder).info


@pytest.mark.parametrize("rows", [[{"item_id": 7, "user_id": 1}], [{"user_id": 1, "item_id": 7}], [[1, 7], [2, 8]]])
def test_rows_by_the_names_of_forwards_parameters_are_one_tensor_each(rows: list[Any], tmp_path: Path) -> None:
    """In the order of the parameters; lists are taken in that order."""
    (signature,) = ranker(rows, tmp_path).signatures
    assert [(one.name, one.dtype, one.shape) for one in signature.inputs] == [
        ("user_id", "INT64", (-1,)),
        ("item_id", "INT64", (-1,)),
    ]


def test_rows_that_do_not_fit_the_parameters_stay_columns(tmp_path: Path) -> None:
    """A record of other names is a row of one tensor."""
    (signature,) = ranker([{"age": 1.5, "fee": 7.0}], tmp_path).signatures
    assert [one.shape for one in signature.inputs] == [(-1, 2)]


def test_without_rows_the_parameters_are_named(tmp_path: Path) -> None:
    """The notice says for what a sample is needed."""
    assert "forward takes user_id, item_id, bias" in ranker([], tmp_path).warnings[-1]
