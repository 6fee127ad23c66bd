"""inspect sees through pipelines, searches, ensembles and column transformers to what goes in and what comes out."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.ensemble import (
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from tests.unit.formats.fitted import (
    LABELS,
    VALUES,
    X,
    assert_answers_as_declared,
    inspected,
    offered,
    true_classes,
    true_task,
)

NAMES = np.array(["no", "perhaps", "yes"], dtype=object)[LABELS]
TWO = np.column_stack([LABELS, LABELS % 2])
TABLE = pd.DataFrame(
    {
        "age": X[:, 0],
        "sex": np.where(LABELS == 1, "male", "female"),
        "rooms": LABELS + 1,
        "port": pd.Series(np.where(LABELS == 2, "C", "S")).where(LABELS != 0, None),
        "note": ["free text"] * len(X),
        "garden": LABELS == 0,
    }
)


def _preprocessor() -> ColumnTransformer:
    text = Pipeline(
        [("fill", SimpleImputer(strategy="most_frequent")), ("code", OneHotEncoder(handle_unknown="ignore"))]
    )
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    coded = OneHotEncoder(handle_unknown="ignore")
    parts = [("n", numbers, ["age"]), ("t", text, ["sex", "port"]), ("o", coded, ["rooms", "garden"])]
    return ColumnTransformer(parts)


NUMERIC = [
    make_pipeline(StandardScaler(), SVC(probability=False)),
    make_pipeline(StandardScaler(), SelectKBest(k=2), LogisticRegression()),
    make_pipeline(StandardScaler(), "passthrough"),
    make_pipeline(FunctionTransformer(np.log1p), RidgeClassifier()),
    Pipeline([("u", FeatureUnion([("a", StandardScaler()), ("b", SelectKBest(k=1))])), ("c", LinearSVC())]),
    GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}, cv=2),
    GridSearchCV(SVC(), {"C": [1.0]}, cv=2),
    CalibratedClassifierCV(LinearSVC(), cv=2),
    VotingClassifier([("a", LogisticRegression()), ("b", DecisionTreeClassifier())], voting="soft"),
    VotingClassifier([("a", LogisticRegression()), ("b", LinearSVC())]),
    StackingClassifier([("a", LogisticRegression()), ("b", LinearSVC())], final_estimator=LinearSVC(), cv=2),
    BaggingClassifier(LinearSVC(), n_estimators=2),
    BaggingClassifier(DecisionTreeClassifier(), n_estimators=2),
    OneVsRestClassifier(LinearSVC()),
    OneVsRestClassifier(DecisionTreeClassifier()),
    SGDClassifier(loss="log_loss"),
    SGDClassifier(loss="hinge"),
    SVC(decision_function_shape="ovo"),
]


def _fit(model: Any, rows: Any, target: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(rows, target)


@pytest.mark.parametrize("model", NUMERIC, ids=lambda model: str(model)[:60].replace("\n", " "))
@pytest.mark.parametrize("labels", [LABELS, NAMES, LABELS == 0], ids=["int", "text", "bool"])
def test_numeric_classifiers(model: Any, labels: Any, tmp_path: Path) -> None:
    """A model of scikit-learn's own numeric steps takes one matrix, and answers what is declared, whatever its labels."""
    _fit(model, X, labels)
    info = inspected(model, tmp_path)
    assert info.task == true_task(model)
    assert list(info.methods) == offered(model)
    classifies = info.task == "classifier"
    assert (None if info.classes is None else list(info.classes)) == (true_classes(model) if classifies else None)
    assert info.signatures[0].layout == "matrix"
    assert info.signatures[0].inputs[0].shape == (-1, 4)
    if not isinstance(model, VotingClassifier):
        assert_answers_as_declared(info, model, X)


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (RandomForestClassifier(3), TWO),
        (KNeighborsClassifier(), TWO),
        (DecisionTreeClassifier(), TWO),
        (MultiOutputClassifier(LogisticRegression()), TWO),
        (MultiOutputClassifier(LinearSVC()), TWO),
        (OneVsRestClassifier(LogisticRegression()), np.eye(3, dtype=int)[LABELS]),
        (MLPClassifier((4,), max_iter=5), np.eye(3, dtype=int)[LABELS]),
        (RidgeClassifier(), np.eye(3, dtype=int)[LABELS]),
        (Ridge(), np.column_stack([VALUES, VALUES])),
        (Ridge(), VALUES.reshape(-1, 1)),
        (RandomForestRegressor(3), np.column_stack([VALUES, VALUES])),
        (KNeighborsRegressor(), np.column_stack([VALUES, VALUES])),
        (KNeighborsRegressor(), VALUES),
        (TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp), VALUES),
        (TransformedTargetRegressor(Ridge()), np.column_stack([VALUES, VALUES])),
        (TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp), VALUES.reshape(-1, 1)),
        (TransformedTargetRegressor(RandomForestRegressor(3), transformer=StandardScaler()), VALUES.reshape(-1, 1)),
        (GridSearchCV(TransformedTargetRegressor(Ridge()), {"regressor__alpha": [1.0]}, cv=2), VALUES.reshape(-1, 1)),
        (GaussianProcessRegressor(), VALUES.reshape(-1, 1)),
        (make_pipeline(StandardScaler(), Ridge()), np.column_stack([VALUES, VALUES])),
        (GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2), np.column_stack([VALUES, VALUES])),
    ],
    ids=lambda value: str(value)[:40].replace("\n", " ") if hasattr(value, "fit") else "",
)
def test_several_outputs(model: Any, target: Any, tmp_path: Path) -> None:
    """Models of several outputs declare the shapes that they answer with."""
    _fit(model, X, target)
    info = inspected(model, tmp_path)
    assert list(info.methods) == offered(model)
    assert_answers_as_declared(info, model, X)


def test_columns_with_types_and_categories(tmp_path: Path) -> None:
    """A ColumnTransformer reveals each column's name, order, type and known values; what it drops is not asked for."""
    model = _fit(make_pipeline(_preprocessor(), LogisticRegression()), TABLE, NAMES)
    info = inspected(model, tmp_path)
    signature = info.signatures[0]
    assert signature.layout == "columns"
    assert [(spec.name, spec.dtype, spec.shape) for spec in signature.inputs] == [
        ("age", "FP64", (-1,)),
        ("sex", "BYTES", (-1,)),
        ("rooms", "FP64", (-1,)),  # its encoder answers any other value, too
        ("port", "BYTES", (-1,)),
        ("garden", "BOOL", (-1,)),
    ]
    assert signature.columns == ("age", "sex", "rooms", "port", "garden")
    assert signature.categories["sex"] == ("female", "male")
    assert signature.categories["rooms"] == (1, 2, 3)
    assert signature.categories["garden"] == (False, True)
    assert info.details["unused_columns"] == ["note"]
    assert signature.trained_columns == tuple(TABLE.columns)
    assert info.n_features_in == 6
    assert info.feature_names == tuple(TABLE.columns)
    assert info.classes == ("no", "perhaps", "yes")
    assert info.steps[0] == ("columntransformer", "sklearn.compose._column_transformer.ColumnTransformer")
    assert "pandas" in {one.distribution for one in info.requirements}
    used = TABLE[list(signature.columns)]
    assert_answers_as_declared(info, model, used)


def test_columns_before_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older ColumnTransformers keep names elsewhere, and want the columns that they drop as well."""
    monkeypatch.setattr("sklearn.base.__version__", "0.24.2")
    table = TABLE[["age", "sex", "note"]]
    model = _fit(ColumnTransformer([("c", OneHotEncoder(), ["sex"]), ("n", StandardScaler(), ["age"])]), table, None)
    model.__dict__["_feature_names_in"] = model.__dict__.pop("feature_names_in_")
    model.__dict__["_n_features"] = model.__dict__.pop("n_features_in_")
    info = inspected(model, tmp_path)
    assert info.framework_version == "0.24.2"
    assert [(spec.name, spec.dtype) for spec in info.signatures[0].inputs] == [
        ("age", "FP64"),
        ("sex", "BYTES"),
        ("note", "FP64"),
    ]


def test_a_search_over_such_a_pipeline(tmp_path: Path) -> None:
    """The same columns are seen through a grid search."""
    model = _fit(GridSearchCV(Pipeline([("p", _preprocessor()), ("c", SVC())]), {"c__C": [1.0]}, cv=2), TABLE, LABELS)
    info = inspected(model, tmp_path)
    assert [spec.dtype for spec in info.signatures[0].inputs] == ["FP64", "BYTES", "FP64", "BYTES", "BOOL"]
    assert info.task == "classifier"


def test_missing_categories_are_null(tmp_path: Path) -> None:
    """An encoder that has seen missing values lists null."""
    model = _fit(ColumnTransformer([("c", OneHotEncoder(), ["port"])]), TABLE, None)
    assert None in inspected(model, tmp_path).signatures[0].categories["port"]


def test_columns_by_number_selector_mask_and_slice(tmp_path: Path) -> None:
    """Columns may be chosen by number, callable, mask or slice; passthrough columns are numbers; nameless ones are x0, x1."""
    table = TABLE[["age", "sex", "rooms"]]
    for chosen in (
        [1],
        make_column_selector(dtype_exclude=np.number),
        [False, True, False],
        slice(1, 2),
        slice("sex", "sex"),
    ):
        model = _fit(ColumnTransformer([("c", OrdinalEncoder(), chosen)], remainder="passthrough"), table, None)
        specs = inspected(model, tmp_path).signatures[0].inputs
        assert [(spec.name, spec.dtype) for spec in specs] == [("age", "FP64"), ("sex", "BYTES"), ("rooms", "FP64")], (
            chosen
        )
    model = _fit(ColumnTransformer([("c", OrdinalEncoder(), [1])], remainder="passthrough"), table.to_numpy(), None)
    assert [(spec.name, spec.dtype) for spec in inspected(model, tmp_path).signatures[0].inputs] == [
        ("x0", "FP64"),
        ("x1", "BYTES"),
        ("x2", "FP64"),
    ]


def test_an_encoder_of_text_wants_columns(tmp_path: Path) -> None:
    """Without a ColumnTransformer, an encoder that knows texts still takes columns, and one of numbers a matrix."""
    model = _fit(make_pipeline(OrdinalEncoder(), DecisionTreeClassifier()), TABLE[["sex", "note"]], LABELS)
    assert inspected(model, tmp_path).signatures[0].layout == "columns"
    model = _fit(make_pipeline(OneHotEncoder(), DecisionTreeClassifier()), LABELS.reshape(-1, 1), LABELS)
    assert inspected(model, tmp_path).signatures[0].layout == "matrix"


def test_boosting_that_encodes_by_itself(tmp_path: Path) -> None:
    """HistGradientBoosting's categorical columns are found with their values."""
    table = TABLE[["age", "sex"]].astype({"sex": "category"})
    model = _fit(HistGradientBoostingClassifier(max_iter=2, categorical_features="from_dtype"), table, LABELS)
    signature = inspected(model, tmp_path).signatures[0]
    assert [(spec.name, spec.dtype) for spec in signature.inputs] == [("age", "FP64"), ("sex", "BYTES")]
    assert signature.categories["sex"] == ("female", "male")


def test_named_numbers_are_a_matrix_with_columns(tmp_path: Path) -> None:
    """A numeric model trained on a DataFrame takes a matrix whose columns are named."""
    model = _fit(make_pipeline(StandardScaler(), Ridge()), pd.DataFrame(X, columns=list("abcd")), VALUES)
    signature = inspected(model, tmp_path).signatures[0]
    assert (signature.layout, signature.columns) == ("matrix", ("a", "b", "c", "d"))
    assert [spec.name for spec in signature.inputs] == ["input"]
    assert signature.batchable


def test_text_models_take_text(tmp_path: Path) -> None:
    """A model that begins with a text vectorizer takes one list of texts."""
    texts = ["good thing", "bad thing", "good day"]
    for model in (
        make_pipeline(TfidfVectorizer(), SGDClassifier()),
        make_pipeline(FunctionTransformer(), TfidfVectorizer(), SGDClassifier()),
    ):
        info = inspected(_fit(model, texts, ["+", "-", "+"]), tmp_path)
        assert info.signatures[0].layout == "tensors"
        assert [(spec.name, spec.dtype, spec.shape) for spec in info.signatures[0].inputs] == [("text", "BYTES", (-1,))]


def test_text_behind_a_function_is_not_guessed(tmp_path: Path) -> None:
    """What a function makes of its input before the vectorizer cannot be told: no signature, and the way out."""
    model = make_pipeline(FunctionTransformer(np.ravel, validate=False), TfidfVectorizer(), SGDClassifier())
    info = inspected(_fit(model, np.array([["good thing"], ["bad thing"]]), [0, 1]), tmp_path)
    assert info.signatures == ()
    assert any("predictor: predict.py" in warning for warning in info.warnings)


def test_a_function_over_all_rows_is_not_batched(tmp_path: Path) -> None:
    """Requests are joined only when each function works value by value."""
    for function, joined in ((np.log1p, True), (np.cumsum, False)):
        step = FunctionTransformer(function, feature_names_out=None)
        model = Pipeline([("f", step), ("r", Ridge().fit(X, VALUES))])
        assert all(signature.batchable is joined for signature in inspected(model, tmp_path).signatures)
