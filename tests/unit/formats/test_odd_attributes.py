"""Fitted estimators whose attributes are anything else: inspection says what it can, in bounded time, or raises its own errors."""

from __future__ import annotations

import contextlib
import pickle
import random
import time
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.feature_selection import RFE
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from mlpack.errors import MlpackError, UnreadableModelError
from mlpack.formats.sklearn import SklearnFormat
from mlpack.pipeline.inspect import inspect

_SEED, _ROUNDS, _SLOWEST = 10, 250, 10.0
_X = np.random.default_rng(0).normal(size=(12, 3))
_Y = np.arange(12) % 2
_TABLE = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": ["u", "v", "u", "v"], "c": pd.Categorical(list("xyxy"))})
_ODD: list[Any] = [
    None, "", "1\u00b9", "\u0661", "x", [], (), {}, {"a": 1}, [[]], [None], [()], [("a",)], [("a", "b", "c", "d")], 0, -1, True,
    10**9, 3 * 10**8, 2**63, 10**30, float("nan"), float("inf"), np.array([]), np.zeros((0, 3)), np.zeros((3, 0)), np.array(5.0),
    np.array([None, 1, "a"], object), np.zeros((2, 2, 2)), np.array(["a", "b"]), np.float64("nan"), np.array(["2020"], "M8[D]"),
    {1: 2, "b": []}, slice(None), slice("a", "c", 0), object, len, b"\xff", 1j, frozenset([1]), "drop", "passthrough",
    [1, "a", None], ["a", "b"], [0, 99], [-99], OrderedDict(a=1), pd.Index(["a", "b"]), pd.Series([1, 2]), LinearRegression(),
]  # fmt: skip
_NAMES = (
    "n_features_in_", "n_classes_", "n_outputs_", "feature_names_in_", "classes_", "steps", "estimators_", "transformers_",
    "categories_", "statistics_", "coef_", "_sklearn_version", "n_components", "n_features_", "estimator_", "vocabulary_",
)  # fmt: skip


def _models() -> list[Any]:
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["b"]), (StandardScaler(), ["a"])
    )
    return [
        make_pipeline(columns, LogisticRegression()).fit(_TABLE, [0, 1, 0, 1]),
        GridSearchCV(LogisticRegression(), {"C": [1.0]}, cv=2).fit(_X, _Y),
        CalibratedClassifierCV(LogisticRegression(), cv=2).fit(_X, _Y),
        StackingClassifier([("a", LogisticRegression())], cv=2).fit(_X, _Y),
        MultiOutputClassifier(LogisticRegression()).fit(_X, np.column_stack([_Y, _Y])),
        TransformedTargetRegressor(LinearRegression()).fit(_X, _Y),
        RandomForestClassifier(2).fit(_X, _Y),
        RFE(LogisticRegression()).fit(_X, _Y),
        GaussianMixture(2).fit(_X),
        OrdinalEncoder().fit(_TABLE[["b"]]),
        make_union(StandardScaler(), SimpleImputer()).fit(_X),
        lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(_TABLE[["a", "c"]], [0, 1, 0, 1]),
        xgboost.XGBClassifier(n_estimators=2).fit(_X, _Y),
    ]


def _parts(model: Any) -> Iterator[Any]:
    left, seen = [model], set()
    while left:
        part = left.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, list | tuple):
            left += part
        elif hasattr(part, "get_params") and not isinstance(part, type):
            yield part
            left += vars(part).values()


def _inspected(model: Any, path: Path) -> Any:
    path.write_bytes(pickle.dumps(model))
    return inspect(path, formats=[SklearnFormat()])


def test_attributes_that_are_anything_else(tmp_path: Path) -> None:
    """Hundreds of models with one to three attributes replaced: never an error of Python's, never more than ten seconds."""
    chance = random.Random(_SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dumped = [pickle.dumps(model) for model in _models()]
        for _ in range(_ROUNDS):
            model = pickle.loads(chance.choice(dumped))
            parts = list(_parts(model))
            changed = []
            for part in chance.choices([model, *parts], k=chance.choice([1, 1, 2, 3])):
                name = chance.choice([*sorted(vars(part)), *_NAMES])
                if name == "_handle":
                    continue
                part.__dict__[name] = chance.choice(_ODD)
                changed.append((type(part).__name__, name, part.__dict__[name]))
            start = time.process_time()
            try:
                _inspected(model, tmp_path / "model.pkl").to_json()
            except MlpackError:
                pass
            except Exception as error:  # noqa: BLE001 - whatever it is, what was changed is told
                pytest.fail(f"{changed}: {error!r}")
            assert time.process_time() - start < _SLOWEST, changed


@pytest.mark.parametrize("count", [3 * 10**8, 10**9, 2**70])
@pytest.mark.parametrize("kind", ["linear", "columns", "classes", "outputs"])
def test_a_count_that_nothing_backs(kind: str, count: int, tmp_path: Path) -> None:
    """A number of columns, classes or outputs that no file could hold costs no memory, and a warning says what is wrong."""
    model: Any = LogisticRegression().fit(_X, _Y)
    if kind == "columns":
        model = ColumnTransformer([("s", StandardScaler(), [0])], remainder="passthrough").fit(_X)
        model._n_features = count
    elif kind == "classes":
        model = xgboost.XGBClassifier(n_estimators=1).fit(_X, _Y)
    elif kind == "outputs":
        model = RandomForestClassifier(1).fit(_X, _Y)
    name = {"classes": "n_classes_", "outputs": "n_outputs_"}.get(kind, "n_features_in_")
    model.__dict__[name] = count
    start = time.process_time()
    info = _inspected(model, tmp_path / "model.pkl")
    assert time.process_time() - start < _SLOWEST
    assert len(info.classes or ()) <= 2
    if name == "n_features_in_":
        assert not info.signatures
        assert any(f"it declares {count} columns" in warning for warning in info.warnings)


def test_a_model_of_hashed_text_is_wide(tmp_path: Path) -> None:
    """A million columns without names are a matrix of numbers."""
    model = LogisticRegression().fit(_X, _Y)
    model.coef_ = np.zeros((1, 1 << 20), np.float32)
    model.n_features_in_ = 1 << 20
    info = _inspected(model, tmp_path / "model.pkl")
    assert info.signatures[0].inputs[0].shape == (-1, 1 << 20)
    assert info.signatures[0].layout == "matrix"


def test_models_that_hold_each_other(tmp_path: Path) -> None:
    """Two meta-estimators, each of which answers for the other, end in a clear error."""
    model, other = (TransformedTargetRegressor(LinearRegression()).fit(_X, _Y) for _ in range(2))
    model.regressor_, other.regressor_ = other, model
    model._training_dim = other._training_dim = 2
    model.n_features_ = other.n_features_ = 3
    with pytest.raises(UnreadableModelError, match="contain each other"):
        _inspected(model, tmp_path / "model.pkl")


@pytest.mark.parametrize("attribute", [b"regressor_", b"steps"])
def test_models_in_models(attribute: bytes, tmp_path: Path) -> None:
    """Thousands of estimators, each in the next, end in a clear error, or in an answer."""
    name = (
        b"sklearn.compose._target\nTransformedTargetRegressor"
        if attribute == b"regressor_"
        else b"sklearn.pipeline\nPipeline"
    )
    opening = b"c" + name + b"\n)\x81}X" + len(attribute).to_bytes(4, "little") + attribute
    before, after = (b"", b"sb") if attribute == b"regressor_" else (b"]X\1\0\0\0a", b"\x86asb")
    path = tmp_path / "model.pkl"
    path.write_bytes(b"\x80\x02" + (opening + before) * 900 + b"N" + after * 900 + b".")
    with contextlib.suppress(UnreadableModelError):
        inspect(path, formats=[SklearnFormat()])
