"""Pandas categories are found on their own columns: the answers are the library's own, or the model asks for sample rows."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.notice import NoticeCode
from mlpack.readers.boosters.lightgbm_categories import Placement
from tests.formats.answering import inspected
from tests.formats.test_booster_rows import answered

pytestmark = pytest.mark.filterwarnings("ignore")
ROWS = 300
RANDOM = np.random.default_rng(8)
FORMS = ("model.pkl", "booster.pkl", "model.txt")


def table(**columns: Any) -> pd.DataFrame:
    """Columns of random choices among the given values, and a column of numbers; ordered values are given as a list."""
    made = pd.DataFrame({name: RANDOM.choice(list(values), ROWS) for name, values in columns.items()})
    for name, values in columns.items():
        if isinstance(values, list):
            made[name] = pd.Categorical(made[name], categories=values, ordered=True)
        elif isinstance(values, set):
            made[name] = made[name].astype("category")
    return made.assign(x=RANDOM.normal(size=ROWS))


def target(frame: pd.DataFrame) -> Any:
    """A different number for each value of each column."""
    weights = [(pd.factorize(frame[name], sort=True)[0] * (place + 1.5)) % 4 for place, name in enumerate(frame)]
    return sum(weights[:-1]) + frame["x"]


def lightgbm_forms(folder: Path, frame: pd.DataFrame, **fitting: Any) -> Any:
    """A fitted model, saved in each form."""
    import lightgbm

    model = lightgbm.LGBMRegressor(n_estimators=8, n_jobs=1, verbose=-1).fit(frame, target(frame), **fitting)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    (folder / "booster.pkl").write_bytes(pickle.dumps(model.booster_))
    model.booster_.save_model(folder / "model.txt")
    return model


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """The rows as JSON."""
    return list(json.loads(frame.to_json(orient="records")))


def assert_right(info: ModelInfo, model: Any, frame: pd.DataFrame, rows: list[Any] | None = None) -> None:
    """The answers to the first rows are the library's own."""
    asked = frame.head(12)
    found = answered(info, rows_of(asked) if rows is None else rows)
    np.testing.assert_allclose(np.array(found, dtype=float), model.predict(asked), rtol=1e-6)


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"g": {1, 2, 5}, "k": (3, 7, 11)}, ["k"]),  # one category column, and another one is chosen as categorical
        ({"g": {1, 2, 5}, "k": (3, 7, 11)}, [1]),
        ({"s": [30, 10, 20], "k": (3, 7, 11)}, ["k"]),  # an ordered one
        ({"s": [30, 10, 20]}, "auto"),
        ({"s": ["S", "M", "L"], "c": {"a", "b"}}, "auto"),
        ({"c": {"a", "b", "e"}, "k": {3, 7, 11, 12}}, ["c"]),
        ({"c": {"a", "b", "e"}, "k": (3, 7, 11)}, ["c", "k"]),
        ({"one": (1,), "k": {3, 7}, "two": {5}}, "auto"),
        ({"w": {"u"}, "c": {"a", "b", "e"}, "k": {3, 7, 11}}, "auto"),  # one without information
        (
            {"flag": (0, 1), "sex": {"f", "m"}, "klass": (1, 2, 3)},
            "auto",
        ),  # texts beside numbers that could be their codes
    ],
)
def test_lightgbms_categories_are_on_their_own_columns(tmp_path: Path, columns: Any, chosen: Any) -> None:
    """`pandas_categorical` has all category columns, `categorical_feature` those that are not ordered, or the chosen ones."""
    frame = table(**columns)
    model = lightgbm_forms(tmp_path, frame, categorical_feature=chosen)
    for form in FORMS:
        info = inspected(tmp_path / form)
        assert_right(info, model, frame)
        assert set(info.signatures[0].categories) == set(frame.select_dtypes("category"))


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"s": [30, 10, 20], "part": (0, 1, 2)}, "auto"),
        ({"s": [30, 10, 20], "part": (0, 1, 2)}, ["part"]),
        ({"shop": {10, 20}, "flag": (0, 1)}, "auto"),
        ({"s": [30, 10, 20], "t": ["S", "M", "L"], "part": (0, 1, 2)}, "auto"),
    ],
)
def test_two_possible_columns_need_sample_rows(tmp_path: Path, columns: Any, chosen: Any) -> None:
    """Where numbers could be the codes of the categories, nothing is guessed: sample rows of training tell."""
    frame = table(**columns)
    model = lightgbm_forms(tmp_path, frame, categorical_feature=chosen)
    codes = frame.head(20).apply(lambda one: one.cat.codes if one.dtype == "category" else one)
    for form in FORMS:
        refused = inspected(tmp_path / form)
        assert refused.signatures == ()
        assert [(one.code, one.by_sample) for one in refused.notices] == [(NoticeCode.NO_SIGNATURE, True)]
        assert_right(inspected(tmp_path / form, sample=rows_of(frame.head(20))), model, frame)
        told = inspected(tmp_path / form, sample=rows_of(codes))
        assert told.signatures == ()
        assert "not the codes" in told.notices[0].reason
        assert "predictor" in told.advice


def test_numbers_of_a_csv_are_found_among_texts() -> None:
    """A sample from a .csv file has 123 for the text "0123"."""
    placed = Placement(categories=(("0123", "7"),), infos=(b"[0:1]", b"[0:1]"), width=2)
    assert placed.settled() is None
    assert placed.settled(samples={0: [0, 1, None], 1: [123, 7, None]}) == {1: ("0123", "7")}


def test_categories_that_are_their_own_codes_need_no_sample() -> None:
    """0, 1, 2 as categories are the same as numbers; broken values of a column say nothing about it."""
    infos = (b"[0:2]", b"[0:2]", b"none")
    assert Placement(categories=((0, 1, 2),), listed=(1,), infos=infos, width=3).settled() == {1: (0, 1, 2)}
    assert Placement(categories=((4, 5, 6),), listed=(1,), infos=infos, width=3).settled() is None
    assert Placement(categories=((4, 5, 6),), infos=(b"[0:0.5]", b"[a:b]", b"-1:4:9"), width=3).settled() == {
        1: (4, 5, 6)
    }
    assert Placement(categories=((4, 5, 6),), listed=(1,), width=3).settled() is None
    assert Placement(categories=((4, 5),) * 2, infos=(b"[3:9]",), width=1).settled() is None


def composed(kind: str, booster: Any, frame: pd.DataFrame) -> Any:
    """A pipeline whose first steps hand categories on."""
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
    from sklearn.ensemble import VotingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler

    def first(**words: Any) -> Any:
        parts = ColumnTransformer([("s", StandardScaler(), ["x"])], remainder="passthrough", **words)
        return parts.set_output(transform="pandas")

    chosen = ColumnTransformer(
        [("c", "passthrough", make_column_selector(dtype_include="category")), ("s", StandardScaler(), ["x"])]
    )
    encoded = ColumnTransformer([("o", OneHotEncoder(), ["c", "k"])], remainder="passthrough")
    union = FeatureUnion([("p", "passthrough"), ("s", ColumnTransformer([("s", StandardScaler(), ["x"])]))])
    second = ColumnTransformer([("m", MinMaxScaler(), ["remainder__z"])], remainder="passthrough")
    models = {
        "remainder": lambda: make_pipeline(first(), booster),
        "without prefixes": lambda: make_pipeline(first(verbose_feature_names_out=False), booster),
        "selector": lambda: make_pipeline(chosen.set_output(transform="pandas"), booster),
        "union": lambda: make_pipeline(union.set_output(transform="pandas"), booster),
        "two steps": lambda: make_pipeline(make_pipeline(FunctionTransformer(), first()), second.set_output(transform="pandas"), booster),
        "target": lambda: make_pipeline(first(), TransformedTargetRegressor(booster, transformer=StandardScaler())),
        "ensemble": lambda: VotingRegressor([("a", make_pipeline(first(), booster)), ("b", make_pipeline(encoded, Ridge()))]),
        "arrays": lambda: make_pipeline(ColumnTransformer([("s", StandardScaler(), ["x"])], remainder="passthrough"), booster),
    }  # fmt: skip
    return models[kind]().fit(frame, target(frame))


def saved(folder: Path, model: Any, **options: Any) -> ModelInfo:
    """What inspect says of the pickled model."""
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    return inspected(folder / "model.pkl", **options)


def regressor(name: str, **words: Any) -> Any:
    """A small booster that takes categories."""
    if name == "lightgbm":
        from lightgbm import LGBMRegressor

        return LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1, **words)
    if name == "xgboost":
        from xgboost import XGBRegressor

        return XGBRegressor(n_estimators=5, n_jobs=1, enable_categorical=True, **words)
    from catboost import CatBoostRegressor

    return CatBoostRegressor(iterations=5, verbose=0, thread_count=1, allow_writing_files=False, **words)


@pytest.mark.parametrize("booster", ["lightgbm", "xgboost"])
@pytest.mark.parametrize(
    "kind", ["remainder", "without prefixes", "selector", "union", "two steps", "target", "ensemble"]
)
def test_categories_that_steps_hand_on(tmp_path: Path, kind: str, booster: str) -> None:
    """A column that a step hands on to the booster is asked for by the categories that the booster records."""
    frame = table(c={"a", "b", "e"}, k={3, 7, 11}, z=(1, 2, 9))
    model = composed(kind, regressor(booster), frame)
    info = saved(tmp_path, model)
    assert_right(info, model, frame)
    assert info.signatures[0].categories == {"c": ("a", "b", "e"), "k": (3, 7, 11)}
    assert info.signatures[0].unknown_categories == ("missing" if booster == "lightgbm" else "refused")
    assert_right(saved(tmp_path, model, sample=rows_of(frame.head(5))), model, frame)


def test_categories_that_steps_hand_on_in_a_skops_file(tmp_path: Path) -> None:
    """The columns behind a step are read from skops as from a pickle."""
    import skops.io

    frame = table(c={"a", "b", "e"}, k={3, 7, 11})
    model = composed("remainder", regressor("lightgbm"), frame)
    skops.io.dump(model, tmp_path / "model.skops")
    assert_right(inspected(tmp_path / "model.skops"), model, frame)


@pytest.mark.parametrize("width", ["int8", "uint8", "int16", "int32"])
def test_xgboost_gets_categories_of_the_width_of_training(tmp_path: Path, width: str) -> None:
    """XGBoost compares the type of a DataFrame's categories with that of training."""
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.pipeline import make_pipeline

    frame = table(c={"a", "b"}, k=(3, 7, 11))
    frame["k"] = frame["k"].astype(width).astype("category")
    sampler = make_pipeline(RandomOverSampler(random_state=0), regressor("xgboost")).fit(frame, frame["c"] == "a")
    for model in (composed("remainder", regressor("xgboost"), frame), sampler):
        assert_right(saved(tmp_path, model), model, frame)


def test_ordered_categories_that_steps_hand_on(tmp_path: Path) -> None:
    """Columns that no step hands on cannot have the categories: 30, 10, 20 are placed though `o` has the same codes."""
    from lightgbm import LGBMRegressor
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    frame = table(o=("u", "v", "w"), s=[30, 10, 20])
    parts = ColumnTransformer([("o", OrdinalEncoder(), ["o"])], remainder="passthrough").set_output(transform="pandas")
    model = make_pipeline(parts, LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1)).fit(frame, target(frame))
    assert_right(saved(tmp_path, model), model, frame)
    unclear = table(part=(0, 1, 2), s=[30, 10, 20])
    model = composed("remainder", regressor("lightgbm"), unclear)
    assert saved(tmp_path, model).signatures == ()
    assert_right(saved(tmp_path, model, sample=rows_of(unclear.head(9))), model, unclear)


@pytest.mark.parametrize("booster", ["lightgbm", "xgboost"])
def test_frames_that_the_file_does_not_record(tmp_path: Path, booster: str) -> None:
    """With `set_config(transform_output="pandas")` nothing in the file says that the booster got a DataFrame."""
    import sklearn

    frame = table(c={4, 5}, k={3, 7, 11})
    with sklearn.config_context(transform_output="pandas"):
        model = composed("arrays", regressor(booster), frame)
    info = saved(tmp_path, model)
    assert info.signatures == ()
    assert "set_output" in info.notices[0].reason
    assert "predictor" in info.advice


@pytest.mark.parametrize("kind", ["without prefixes", "arrays"])
def test_catboosts_categories_that_steps_hand_on(tmp_path: Path, kind: str) -> None:
    """They are texts or whole numbers, by the place behind the step."""
    frame = table(c=("a", "b", "e"), k=(3, 7, 11))
    model = composed(kind, regressor("catboost", cat_features=[1, 2]), frame)
    info = saved(tmp_path, model)
    assert_right(info, model, frame)
    assert info.signatures[0].whole_as_text == ("c", "k")


@pytest.mark.parametrize("booster", ["lightgbm", "xgboost"])
def test_codes_that_a_step_makes(tmp_path: Path, booster: str) -> None:
    """A booster behind an encoder takes codes: the columns are asked for by the values that the encoder knows."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    frame = table(c=("a", "b", "e"), k=(3, 7, 11))
    parts = ColumnTransformer([("o", OrdinalEncoder(), ["c", "k"])], remainder="passthrough")
    words = {"feature_types": ["c", "c", "q"]} if booster == "xgboost" else {"categorical_feature": [0, 1]}
    model = make_pipeline(parts, regressor(booster, **words)).fit(frame, target(frame))
    assert_right(saved(tmp_path, model), model, frame)
