"""Small models of the boosters, skops and scikit-learn's likes, as their own libraries write them, with rows and answers."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROWS = 60


@dataclass(frozen=True, kw_only=True)
class Made:
    """A model's file, rows as a request has them (objects or lists), and what the library itself answers, by method."""

    path: Path
    rows: list[Any]
    answers: dict[str, Any]


def numbers(seed: int = 0, columns: int = 4) -> Any:
    """A table to train on."""
    return np.random.default_rng(seed).normal(size=(200, columns))


def asked_numbers(columns: int = 4) -> Any:
    """Rows to ask: among them missing and extreme values."""
    rows = np.random.default_rng(7).normal(size=(ROWS, columns))
    rows[2, 0], rows[3, 1], rows[4, 2] = np.nan, 1e30, -1e30
    return rows


def mixed(seed: int = 1, rows: int = 200, word: str = "süß") -> Any:
    """A DataFrame of numbers, texts as categories (one of them `word`), whole numbers as categories, and truth values."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame({"n": random.normal(size=rows), "k": random.integers(-3, 4, rows)})
    table["c"] = pd.Categorical(random.choice([word, "u", "v"], rows), categories=[word, "u", "v"])
    table["i"] = pd.Categorical(random.integers(0, 4, rows), categories=[0, 1, 2, 3])
    table["b"] = random.normal(size=rows) > 0
    return table


def asked_mixed(word: str = "süß") -> Any:
    """Rows of such a table with missing numbers, missing categories and extreme numbers."""
    rows = mixed(seed=5, rows=ROWS, word=word)
    rows.loc[2, "n"], rows.loc[3, "n"] = np.nan, 1e30
    rows.loc[4, "c"], rows.loc[5, "i"] = None, None
    return rows


def as_json(table: Any) -> list[Any]:
    """Rows as a request has them."""
    if isinstance(table, pd.DataFrame):
        return [{name: _plain(value) for name, value in row.items()} for row in table.to_dict("records")]
    return [[_plain(value) for value in row] for row in table]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if value is None or value != value:  # noqa: PLR0124  # NaN
        return None
    return float(value) if isinstance(value, bool | int) else value


def _target(table: Any) -> Any:
    return (np.asarray(table["n"] if isinstance(table, pd.DataFrame) else table[:, 0]) > 0).astype(int)


def make(folder: Path) -> dict[str, Made]:
    """Every model, by name."""
    made: dict[str, Made] = {}

    def keep(name: str, rows: Any, answers: dict[str, Any], *, file: str = "") -> None:
        found = {method: np.asarray(answer) for method, answer in answers.items()}
        made[name] = Made(path=folder / (file or name), rows=as_json(rows), answers=found)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for maker in (_xgboost, _lightgbm, _catboost, _skops, _likes):
            maker(folder, keep)
    return made


Keep = Callable[..., None]


def _pickled(folder: Path, name: str, model: Any) -> None:
    (folder / name).write_bytes(pickle.dumps(model, 4))


def _xgboost(folder: Path, keep: Keep) -> None:
    import xgboost

    table, rows = mixed(word="w"), asked_mixed(word="w")
    other = mixed(9, word="w")
    model = xgboost.XGBClassifier(n_estimators=30, max_depth=3, enable_categorical=True, early_stopping_rounds=3)
    model.fit(table, _target(table), eval_set=[(other, _target(other))], verbose=False)
    told = {"predict": model.predict(rows), "predict_proba": model.predict_proba(rows)}
    for name in ("xgb-classes.json", "xgb-classes.ubj"):
        model.save_model(folder / name)
        keep(name, rows, told)
    (folder / "xgb-named.model").write_bytes((folder / "xgb-classes.json").read_bytes())
    keep("xgb-named.model", rows, told)
    _pickled(folder, "xgb-classes.pkl", model)
    keep("xgb-classes.pkl", rows, told)

    plain, asked = numbers(), asked_numbers()
    matrix = xgboost.DMatrix(plain, _target(plain) + (plain[:, 1] > 0), feature_names=["a", "b", "c", "d"])
    ask = xgboost.DMatrix(asked, feature_names=["a", "b", "c", "d"])
    objectives: dict[str, dict[str, Any]] = {
        "xgb-soft.ubj": {"objective": "multi:softprob", "num_class": 3},
        "xgb-hard.json": {"objective": "multi:softmax", "num_class": 3},
        "xgb-dart.json": {"objective": "reg:squarederror", "booster": "dart"},
        "xgb-linear.json": {"objective": "reg:squarederror", "booster": "gblinear"},
        "xgb-count.ubj": {"objective": "count:poisson"},
    }
    for name, parameters in objectives.items():
        booster = xgboost.train({"max_depth": 3, **parameters}, matrix, 8)
        booster.save_model(folder / name)
        again = xgboost.Booster(model_file=folder / name)  # JSON rounds what it writes, and is what is served
        keep(name, asked, {"predict": again.predict(ask)})
    _pickled(folder, "xgb-booster.pkl", booster)
    keep("xgb-booster.pkl", asked, {"predict": booster.predict(ask)})
    several = xgboost.XGBRegressor(n_estimators=5).fit(plain, plain[:, :2])
    several.save_model(folder / "xgb-several.ubj")
    keep("xgb-several.ubj", asked, {"predict": several.predict(asked)})


def _lightgbm(folder: Path, keep: Keep) -> None:
    import lightgbm

    small = {"verbose": -1, "num_leaves": 6, "min_data_in_leaf": 5}
    table, rows = mixed(), asked_mixed()
    booster = lightgbm.train({**small, "objective": "binary"}, lightgbm.Dataset(table, _target(table)), 8)
    booster.save_model(folder / "lgb-table.txt")
    keep("lgb-table.txt", rows, {"predict": lightgbm.Booster(model_file=folder / "lgb-table.txt").predict(rows)})
    _pickled(folder, "lgb-booster.pkl", booster)
    keep("lgb-booster.pkl", rows, {"predict": booster.predict(rows)})
    model = lightgbm.LGBMClassifier(verbose=-1, n_estimators=5).fit(table, np.where(_target(table), "yes", "no"))
    _pickled(folder, "lgb-classes.pkl", model)
    keep("lgb-classes.pkl", rows, {"predict": model.predict(rows), "predict_proba": model.predict_proba(rows)})

    plain, asked = numbers(), asked_numbers()
    target = _target(plain) + (plain[:, 1] > 0)
    booster = lightgbm.train(
        {**small, "objective": "multiclass", "num_class": 3}, lightgbm.Dataset(plain, target.astype(int)), 5
    )
    booster.save_model(folder / "lgb-plain.model")
    keep("lgb-plain.model", asked, {"predict": booster.predict(asked)})


def _catboost(folder: Path, keep: Keep) -> None:
    import catboost

    few = {"iterations": 8, "depth": 3, "verbose": 0, "allow_writing_files": False}
    table, rows = mixed()[["n", "c", "k"]].astype({"c": object}), asked_mixed()[["n", "c", "k"]].astype({"c": object})
    rows["c"] = rows["c"].fillna("missing")
    model = catboost.CatBoostClassifier(**few, cat_features=["c"], one_hot_max_size=2).fit(
        table, np.where(_target(table), "yes", "no")
    )
    for name, form in (("cat-classes.cbm", "cbm"), ("cat-classes.json", "json")):
        model.save_model(str(folder / name), format=form)
        again = catboost.CatBoostClassifier()
        again.load_model(str(folder / name), format=form)
        keep(name, rows, {"predict": again.predict(rows), "predict_proba": again.predict_proba(rows)})
    _pickled(folder, "cat-classes.pkl", model)
    keep("cat-classes.pkl", rows, {"predict": model.predict(rows), "predict_proba": model.predict_proba(rows)})

    plain, asked = numbers(), asked_numbers()
    for name, loss, target in (
        ("cat-one.cbm", "RMSE", plain[:, 0]),
        ("cat-count.cbm", "Poisson", np.abs(plain[:, 0])),
        ("cat-several.cbm", "MultiRMSE", plain[:, :2]),
    ):
        one = catboost.CatBoostRegressor(**few, loss_function=loss).fit(plain, target)
        one.save_model(str(folder / name))
        keep(name, asked, {"predict": one.predict(asked)})
    three = catboost.CatBoostClassifier(**few).fit(plain, _target(plain) + (plain[:, 1] > 0))
    three.save_model(str(folder / "cat-three.cbm"))
    keep("cat-three.cbm", asked, {"predict": three.predict(asked).ravel(), "predict_proba": three.predict_proba(asked)})
    texts = pd.DataFrame(
        {"n": plain[:, 0], "t": ["cheap pills now", "see you at nine", "win cash", "lunch at noon"] * 50}
    )
    spam = catboost.CatBoostClassifier(**few, text_features=["t"]).fit(texts, [1, 0] * 100)
    spam.save_model(str(folder / "cat-text.cbm"))
    keep(
        "cat-text.cbm",
        texts[:ROWS],
        {"predict": spam.predict(texts[:ROWS]), "predict_proba": spam.predict_proba(texts[:ROWS])},
    )


def _skops(folder: Path, keep: Keep) -> None:
    import skops.io
    import xgboost
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table, rows = mixed()[["n", "c"]].astype({"c": object}), asked_mixed()[["n", "c"]].astype({"c": object})
    rows = rows.assign(n=rows["n"].fillna(0.5).clip(-9, 9), c=rows["c"].fillna("unheard of"))
    coded = make_column_transformer((StandardScaler(), ["n"]), (OneHotEncoder(handle_unknown="ignore"), ["c"]))
    model = make_pipeline(coded, LogisticRegression()).fit(table, np.where(_target(table), "yes", "no"))
    skops.io.dump(model, folder / "table.skops")
    keep("table.skops", rows, {"predict": model.predict(rows), "predict_proba": model.predict_proba(rows)})
    plain, asked = numbers(), np.nan_to_num(asked_numbers())
    for name, one in (
        ("forest.skops", RandomForestClassifier(n_estimators=5, random_state=0)),
        ("boosted.skops", xgboost.XGBClassifier(n_estimators=5)),
    ):
        one.fit(plain, _target(plain))
        skops.io.dump(one, folder / name)
        keep(name, asked, {"predict": one.predict(asked), "predict_proba": one.predict_proba(asked)})


def _likes(folder: Path, keep: Keep) -> None:
    import statsmodels.api
    import statsmodels.formula.api
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import make_pipeline
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    table, rows = mixed()[["n", "c", "k"]].astype({"c": object}), asked_mixed()[["n", "c", "k"]].astype({"c": object})
    rows["c"] = rows["c"].fillna("u")
    fitted = statsmodels.formula.api.ols(
        "y ~ n + np.log(k ** 2 + 1) + C(c)", table.assign(y=table["n"] * 2 + table["k"])
    ).fit()
    _pickled(folder, "formula.pkl", fitted)
    keep("formula.pkl", rows, {"predict": fitted.predict(rows)})
    plain, asked = statsmodels.api.add_constant(numbers()), statsmodels.api.add_constant(asked_numbers())
    odds = statsmodels.api.GLM(_target(numbers(3)), plain, family=statsmodels.api.families.Binomial()).fit()
    _pickled(folder, "glm.pkl", odds)
    keep("glm.pkl", asked, {"predict": odds.predict(asked)})
    rare = make_pipeline(StandardScaler(), SMOTE(random_state=0), LogisticRegression())
    rare.fit(numbers(), np.where(numbers()[:, 0] > 1, "rare", "usual"))
    _pickled(folder, "smote.pkl", rare)
    asked = np.nan_to_num(asked_numbers())
    keep("smote.pkl", asked, {"predict": rare.predict(asked), "predict_proba": rare.predict_proba(asked)})
