"""The predict.py of a bundle: right answers where widths, names, classes and keys tell the order, else a TODO and no answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMRegressor
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import LinearSVC
from xgboost import XGBClassifier

from mlpack.artifacts.notice import NoticeCode
from mlpack.usercode.predictors import read_contract, signatures_for
from mlpack.usercode.python_source import read_source
from tests.unit.formats.fitted import inspected
from tests.unit.formats.test_bundle_parts import described, folder_of, stub

RNG = np.random.default_rng(3)
N = 60
TABLE = pd.DataFrame({"c": RNG.choice(["a", "b", "c"], N), "x": RNG.normal(2, 3, N), "z": RNG.normal(-1, 2, N)})
NUMBERS = TABLE[["x", "z"]]
ARRAY = NUMBERS.to_numpy()
PRICE = (2 * TABLE.x + TABLE.z + 50).to_numpy()
BINARY = (TABLE.x > 2).astype(int).to_numpy()
THREE = np.digitize(TABLE.x, [0, 3])
LABELS = LabelEncoder().fit(["no", "yes"])
GENDER = LabelEncoder().fit(["female", "male"])
SCALER = StandardScaler().fit(NUMBERS)
SCALED = SCALER.transform(NUMBERS)
TARGET = StandardScaler().fit(PRICE.reshape(-1, 1))
REGRESSOR = LinearRegression().fit(SCALED, TARGET.transform(PRICE.reshape(-1, 1)).ravel())
BY_SCALED = LogisticRegression().fit(SCALED, BINARY)
ON_NUMBERS = LogisticRegression().fit(NUMBERS, BINARY)
TEXTS = ["free money", "hello friend", "win money now", "see you friend"]
ROWS = NUMBERS.head(5).to_dict("records")


def answer(bundle: Any, rows: list[Any], tmp_path: Path) -> list[Any]:
    scope: dict[str, Any] = {}
    exec(stub(inspected(bundle, tmp_path)), scope)
    found: list[Any] = scope["predict"](bundle, scope["preprocess"](bundle, rows))
    return found


def narrow() -> tuple[Any, list[Any], list[Any]]:
    """One feature and one target: both scalers have the width 1."""
    scaler, target = StandardScaler().fit(NUMBERS[["x"]]), StandardScaler().fit(PRICE.reshape(-1, 1))
    model = LinearRegression().fit(scaler.transform(NUMBERS[["x"]]), target.transform(PRICE.reshape(-1, 1)).ravel())
    rows = NUMBERS[["x"]].head(4)
    wanted = target.inverse_transform(model.predict(scaler.transform(rows)).reshape(-1, 1)).ravel()
    return {"model": model, "scalerY": target, "scalerX": scaler}, rows.to_dict("records"), wanted.tolist()


def wide() -> tuple[Any, list[Any], list[Any]]:
    wanted = TARGET.inverse_transform(REGRESSOR.predict(SCALED[:5]).reshape(-1, 1)).ravel().tolist()
    return {"model": REGRESSOR, "scaler_X": SCALER, "scaler_y": TARGET}, ROWS, wanted


def reduced() -> tuple[Any, list[Any], list[Any]]:
    """The file has the steps in the other order; polynomials, selection, PCA: only one order has the right widths."""
    polynomials = PolynomialFeatures(2, include_bias=False).fit(NUMBERS)
    many = polynomials.transform(NUMBERS)
    select = SelectKBest(f_regression, k=4).fit(many, PRICE)
    pca = PCA(3).fit(select.transform(many))
    few = pca.transform(select.transform(many))
    model = LinearRegression().fit(few, PRICE)
    return {"model": model, "pca": pca, "select": select, "poly": polynomials}, ROWS, model.predict(few[:5]).tolist()


def imputed() -> tuple[Any, list[Any], list[Any]]:
    """Equal widths, but only the imputer saw names: it came first."""
    gaps = NUMBERS.mask(RNG.random(NUMBERS.shape) < 0.2)
    imputer = SimpleImputer().fit(gaps)
    scaler = StandardScaler().fit(imputer.transform(gaps))
    model = LinearRegression().fit(scaler.transform(imputer.transform(gaps)), PRICE)
    wanted = model.predict(scaler.transform(imputer.transform(gaps.head(9)))).tolist()
    return {"scaler": scaler, "imputer": imputer, "model": model}, gaps.head(9).to_dict("records"), wanted


def counted() -> tuple[Any, list[Any], list[Any]]:
    counts = CountVectorizer().fit(TEXTS)
    tfidf = TfidfTransformer().fit(counts.transform(TEXTS))
    model = LogisticRegression().fit(tfidf.transform(counts.transform(TEXTS)), [1, 0, 1, 0])
    wanted = LABELS.inverse_transform(model.predict(tfidf.transform(counts.transform(TEXTS)))).tolist()
    return {"clf": model, "tfidf": tfidf, "vect": counts, "le": LABELS}, TEXTS, wanted


def with_lists() -> tuple[Any, list[Any], list[Any]]:
    """Two lists of columns describe the transformer, and one names what was dropped before."""
    columns = ColumnTransformer([("n", StandardScaler(), ["x", "z"]), ("c", OneHotEncoder(), ["c"])]).fit(TABLE)
    model = LinearRegression().fit(columns.transform(TABLE), PRICE)
    lists = {
        "numeric_features": ["x", "z"],
        "categorical_features": ["c"],
        "drop_columns": ["id"],
        "target_column": "price",
    }
    wanted = model.predict(columns.transform(TABLE.head(5))).tolist()
    return {"preprocessor": columns, "model": model, **lists}, TABLE.head(5).to_dict("records"), wanted


def gapped() -> tuple[Any, list[Any], list[Any]]:
    """A missing text of training was NaN, whatever pandas makes of None."""
    texts = TABLE[["c"]].where(RNG.random((N, 1)) < 0.7, np.nan).astype(object)
    encoder = OneHotEncoder().fit(texts)
    model = LinearRegression().fit(encoder.transform(texts), PRICE)
    rows: list[Any] = [{"c": None}, {"c": "a"}]
    wanted = model.predict(encoder.transform(pd.DataFrame({"c": [np.nan, "a"]}, dtype=object)))
    return {"encoder": encoder, "model": model}, rows, wanted.tolist()


def boosted() -> tuple[Any, list[Any], list[Any]]:
    model = XGBClassifier(n_estimators=3).fit(ARRAY, BINARY)
    wanted = LABELS.inverse_transform(model.predict(ARRAY[:5])).tolist()
    return {"model": model, "label_encoder": LABELS, "feature_names": ["x", "z"]}, ROWS, wanted


def forest() -> tuple[Any, list[Any], list[Any]]:
    model = RandomForestClassifier(20, random_state=0).fit(NUMBERS, BINARY)
    wanted = (model.predict_proba(NUMBERS.head(5))[:, 1] > 0.423).astype(int).tolist()
    return {"model": model, "best_threshold": 0.423}, ROWS, wanted


def framed() -> tuple[Any, list[Any], list[Any]]:
    """A transformer that gives names, of which the model was trained with one that the rows have too."""
    columns = ColumnTransformer(
        [("n", StandardScaler(), ["x"]), ("c", OneHotEncoder(sparse_output=False), ["c"])],
        verbose_feature_names_out=False,
    )
    given = columns.set_output(transform="pandas").fit_transform(TABLE)
    model = LinearRegression().fit(given, PRICE)
    rows = TABLE.head(5)
    return {"prep": columns, "model": model}, rows.to_dict("records"), model.predict(given.head(5)).tolist()


def piped() -> tuple[Any, list[Any], list[Any]]:
    """A pipeline with a scaler of the rows beside a scaler of the target."""
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(NUMBERS, SCALED[:, 0])
    target = StandardScaler().fit(PRICE.reshape(-1, 1))
    wanted = target.inverse_transform(model.predict(NUMBERS.head(5)).reshape(-1, 1)).ravel().tolist()
    return {"pipeline": model, "target_scaler": target, "features": np.array(["x", "z"])}, ROWS, wanted


def matrix() -> tuple[Any, list[Any], list[Any]]:
    scaler = StandardScaler().fit(ARRAY)
    model = LinearRegression().fit(scaler.transform(ARRAY), PRICE)
    return (scaler, model), ARRAY[:5].tolist(), model.predict(scaler.transform(ARRAY[:5])).tolist()


def own_labels() -> tuple[Any, list[Any], list[Any]]:
    """A model that answers the labels itself needs no encoder of them."""
    scaler = StandardScaler().fit(ARRAY)
    model = LogisticRegression().fit(scaler.transform(ARRAY), LABELS.inverse_transform(BINARY))
    bundle = {"scaler": scaler, "model": model, "label_encoder": LABELS, "classes": ["no", "yes"]}
    return bundle, ARRAY[:5].tolist(), model.predict(scaler.transform(ARRAY[:5])).tolist()


CERTAIN: list[Callable[[], tuple[Any, list[Any], list[Any]]]] = [
    narrow, wide, reduced, imputed, counted, with_lists, gapped, boosted, forest, framed, piped, matrix, own_labels,
]  # fmt: skip


@pytest.mark.parametrize("make", CERTAIN, ids=lambda one: one.__name__)
def test_a_certain_order_answers_as_in_training(
    make: Callable[[], tuple[Any, list[Any], list[Any]]], tmp_path: Path
) -> None:
    """To the value, and without a TODO."""
    bundle, rows, wanted = make()
    got = answer(bundle, rows, tmp_path)
    assert got == wanted if isinstance(wanted[0], str) else got == pytest.approx(wanted)


RAW_FOREST = RandomForestClassifier(3, random_state=0).fit(NUMBERS, BINARY)
PIPELINE = make_pipeline(StandardScaler(), LinearRegression()).fit(NUMBERS, PRICE)
VECTORIZERS = [TfidfVectorizer().fit(TEXTS), TfidfVectorizer().fit(TEXTS[:2])]
NAMELESS = StandardScaler().fit(ARRAY)
NAMELESS_MODEL = LinearRegression().fit(NAMELESS.transform(ARRAY), PRICE)
CODED = LGBMRegressor(n_estimators=2, min_child_samples=2).fit(TABLE.assign(c=TABLE.c.astype("category")), PRICE)
OPEN: dict[str, tuple[Any, str]] = {
    "encoder of a column": ({"model": BY_SCALED, "scaler": SCALER, "gender_encoder": GENDER}, "gender_encoder"),
    "encoder named as a column": ({"model": ON_NUMBERS, "x": GENDER}, "x (LabelEncoder)"),
    "encoder with more classes": ({"model": ON_NUMBERS, "label_encoder": LabelEncoder().fit(list("abc"))}, "label_enc"),
    "encoder without a key": ((ON_NUMBERS, LABELS), "1 (LabelEncoder)"),
    "two encoders of labels": ({"model": ON_NUMBERS, "le": LABELS, "encoder": LABELS}, "le (LabelEncoder)"),
    "labels that are booleans": ({"model": LogisticRegression().fit(NUMBERS, BINARY > 0), "le": LABELS}, "le (Label"),
    "encoder beside a regressor": ({"model": PIPELINE, "label_encoder": LABELS}, "label_encoder"),
    "threshold of three classes": (
        {"model": LogisticRegression().fit(NUMBERS, THREE), "threshold": 0.3},
        "threshold (0.3)",
    ),
    "threshold of a decision function": ({"model": LinearSVC().fit(NUMBERS, BINARY), "threshold": 0.3}, "threshold"),
    "threshold of something else": ({"model": ON_NUMBERS, "correlation_threshold": 0.3}, "correlation_threshold"),
    "thresholds by class": ({"model": ON_NUMBERS, "thresholds": {"a": 0.3}, "le": LABELS}, "thresholds"),
    "scalers of equal width": (
        {"a": NAMELESS, "b": PCA(2).fit(ARRAY), "model": LinearRegression().fit(ARRAY, PRICE)},
        "order of a",
    ),
    "scaler of a target by width alone": ({"s1": SCALER, "s2": TARGET, "model": REGRESSOR}, "order of s1"),
    "target of a classifier": ({"scaler_y": TARGET, "model": ON_NUMBERS}, "scaler_y"),
    "scaler and encoder of other columns": (
        {
            "scaler": SCALER,
            "encoder": OneHotEncoder().fit(TABLE[["c"]]),
            "model": LinearRegression().fit(
                np.hstack([SCALED, OneHotEncoder().fit_transform(TABLE[["c"]]).toarray()]), PRICE
            ),
        },
        "scaler: 2 to 2; encoder: 1 to 3; model takes 5",
    ),
    "model of the columns themselves": ({"scaler": SCALER, "model": RAW_FOREST}, "whether model"),
    "model of some of the columns": (
        {"scaler": SCALER, "model": LinearRegression().fit(NUMBERS.rename(columns={"z": "w"}), PRICE)},
        "whether model",
    ),
    "scaled target twice": (
        {
            "model": TransformedTargetRegressor(LinearRegression(), transformer=StandardScaler()).fit(NUMBERS, PRICE),
            "scaler_y": TARGET,
        },
        "which does that itself",
    ),
    "columns of one kind": (
        {"scaler": NAMELESS, "model": NAMELESS_MODEL, "categorical_columns": ["c", "d"]},
        "which columns",
    ),
    "columns of another number": ({"scaler": NAMELESS, "model": NAMELESS_MODEL, "features": ["c"]}, "which columns"),
    "another scaler before a pipeline": ({"scaler": NAMELESS, "model": PIPELINE}, "which contains one"),
    "two columns of texts": (
        {"title": VECTORIZERS[0], "body": VECTORIZERS[1], "model": LinearRegression().fit(np.zeros((2, 12)), [1, 2])},
        "the order of title",
    ),
    "a function of the target": (
        {"scaler": SCALER, "model": BY_SCALED, "target_transform": "log1p"},
        "target_transform",
    ),
    "means of the columns": ({"scaler": SCALER, "model": BY_SCALED, "fill_values": {"x": 2.0}}, "fill_values"),
    "names of the classes": ({"model": ON_NUMBERS, "class_names": ["no", "yes"]}, "class_names"),
    "categories of pandas": ({"model": CODED, "scaler_y": TARGET}, "categories (pandas)"),
}


@pytest.mark.parametrize("case", OPEN)
def test_what_is_not_certain_gives_no_answer(case: str, tmp_path: Path) -> None:
    """The predict.py raises what is to be decided, and inspection says the same."""
    bundle, question = OPEN[case]
    rows = TABLE.head(2).to_dict("records") if case == "categories of pandas" else ROWS
    with pytest.raises(NotImplementedError) as caught:
        answer(bundle, rows, tmp_path)
    assert question in str(caught.value)
    told = [one.text for one in inspected(bundle, tmp_path).notices if one.code is NoticeCode.NO_SIGNATURE]
    assert any(question in one for one in told)


def test_a_part_of_another_part_is_not_applied_again(tmp_path: Path) -> None:
    """A scaler that is also a step of the pipeline: nothing but the pipeline takes part."""
    info = inspected({"pipeline": PIPELINE, "scaler": PIPELINE[0]}, tmp_path)
    assert {one.key: one.role for one in info.contents} == {"pipeline": "model", "scaler": ""}
    assert "bundle" not in info.details


def test_a_probability_equal_to_the_threshold_is_not_guessed(tmp_path: Path) -> None:
    """Training code may have compared with > or >=, and thresholds of a ROC curve are probabilities of a forest."""
    equal = float(RAW_FOREST.predict_proba(NUMBERS.head(5))[0, 1])
    with pytest.raises(NotImplementedError, match="equal to the threshold"):
        answer({"model": RAW_FOREST, "threshold": equal}, ROWS, tmp_path)


def test_a_row_of_another_form_is_the_clients_error(tmp_path: Path) -> None:
    """Before a vectorizer fails on it."""
    model = LogisticRegression().fit(VECTORIZERS[0].transform(TEXTS), [0, 1, 0, 1])
    with pytest.raises(TypeError, match="a text"):
        answer((VECTORIZERS[0], model), [{"text": "money"}], tmp_path)


def test_a_missing_value_that_the_model_refuses_is_the_clients_error(tmp_path: Path) -> None:
    """By the InputError of the predict.py, which the service knows."""
    scope: dict[str, Any] = {}
    bundle = {"model": ON_NUMBERS, "le": LABELS}
    exec(stub(inspected(bundle, tmp_path)), scope)
    with pytest.raises(scope["InputError"], match="NaN"):
        scope["predict"](bundle, scope["preprocess"](bundle, [{"x": 1.0, "z": None}]))


def test_columns_that_a_transformer_drops_are_accepted(tmp_path: Path) -> None:
    """INPUTS names them in the order of training, with None in place of a data type."""
    columns = ColumnTransformer([("n", StandardScaler(), ["z"])]).fit(TABLE)
    model = LinearRegression().fit(columns.transform(TABLE), PRICE)
    info = inspected({"preprocessor": columns, "model": model}, tmp_path)
    (tmp_path / "predict.py").write_text(stub(info))
    (asked,) = signatures_for(read_contract(read_source(tmp_path / "predict.py", "predict.py")), info, None)
    assert [one.name for one in asked.inputs] == ["z"]
    assert asked.trained_columns == ("c", "x", "z")


def test_files_of_a_folder_are_chained_by_the_same_rules(tmp_path: Path) -> None:
    """By widths, and by the words in their names."""
    folder = folder_of(tmp_path / "app", model=REGRESSOR, scaler_X=SCALER, scaler_y=TARGET)
    scope: dict[str, Any] = {}
    exec(stub(described(folder)), scope)
    model = scope["load"](str(folder))
    wanted = TARGET.inverse_transform(REGRESSOR.predict(SCALED[:5]).reshape(-1, 1)).ravel().tolist()
    assert scope["predict"](model, scope["preprocess"](model, ROWS)) == pytest.approx(wanted)
    other = folder_of(tmp_path / "other", model=BY_SCALED, scaler=SCALER, gender=GENDER)
    exec(stub(described(other)), scope)
    with pytest.raises(NotImplementedError, match="gender"):
        scope["preprocess"]({}, ROWS)
