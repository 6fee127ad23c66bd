"""Rows of categories and of other names: boosters answer what their own library answers, in every form of one model."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlpack.artifacts.model import ModelInfo
from mlpack.runtime.card import Signature
from mlpack.runtime.errors import BadInputError
from mlpack.runtime.models.guard import Guard
from mlpack.runtime.protocols.encoding.rows import Rows
from tests.formats.answering import inspected, loader_of

pytestmark = pytest.mark.filterwarnings("ignore")
ROWS = 300


def answered(info: ModelInfo, rows: list[Any]) -> list[Any]:
    """The first method's answers to rows of JSON."""
    signature = Signature.from_json(json.loads(json.dumps(info.signatures[0].to_json())))
    inputs, _ = Rows(signature, 100).decode(rows)
    loader = loader_of(info.format)
    model = loader.load(str(info.path), dict(info.options), Guard(info.names))
    (answer,) = loader.predict(model, signature, inputs).values()
    return answer.tolist()  # type: ignore[no-any-return]


def categories(values: Any) -> Any:
    """A column of pandas' categories, each value often."""
    random = np.random.default_rng(3)
    return pd.Series(random.choice(values, ROWS)).astype("category")


@pytest.fixture(scope="module")
def lightgbm_forms(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, ModelInfo]]:
    """A model of categories of every type, and what inspect says of its pickle, its pickled booster and its text."""
    import lightgbm

    folder = tmp_path_factory.mktemp("lightgbm")
    table = pd.DataFrame({"a flag": categories([True, False]), "whole": categories([3, 7, 11])})
    table["part"], table["word"] = categories([0.5, 1.5]), categories(["u", "v"])
    target = (
        table["a flag"].astype(float) + (table["whole"] == 7) * 3 + (table["part"] == 1.5) * 5 + (table["word"] == "v")
    )
    model = lightgbm.LGBMRegressor(n_estimators=20, min_child_samples=5, verbose=-1).fit(table, target)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    (folder / "booster.pkl").write_bytes(pickle.dumps(model.booster_))
    model.booster_.save_model(folder / "model.txt")
    return (model, table), {path.name: inspected(path) for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("form", ["model.pkl", "booster.pkl", "model.txt"])
def test_lightgbms_categories_are_of_their_own_type(lightgbm_forms: Any, form: str) -> None:
    """Booleans, whole numbers, floats and texts are found by value; 1 is true; null and what is unknown are missing."""
    (model, table), forms = lightgbm_forms
    asked = [(True, 7, 1.5, "v"), (False, 3, 0.5, "u"), (None, 11, None, None), (True, 7, 0.5, "u")]
    frame = pd.DataFrame(asked, columns=table.columns)
    for name in table:
        frame[name] = pd.Categorical(frame[name], categories=table[name].cat.categories)
    wanted = model.predict(frame)
    names = [spec.name for spec in forms[form].signatures[0].inputs]
    rows = [dict(zip(names, row, strict=True)) for row in asked]
    np.testing.assert_allclose(answered(forms[form], rows), wanted)
    numbers = [{"a flag": None if flag is None else int(flag), "whole": float(whole), "part": part, "word": word}
               for flag, whole, part, word in asked]  # fmt: skip
    np.testing.assert_allclose(answered(forms[form], numbers), wanted)
    unknown = [[2, 7.5, 1.25, "w"]]
    np.testing.assert_allclose(answered(forms[form], unknown), answered(forms[form], [[None, None, None, None]]))
    assert forms[form].signatures[0].unknown_categories == "missing"
    assert forms[form].signatures[0].categories["part"] == (0.5, 1.5)


@pytest.mark.parametrize("form", ["model.pkl", "booster.pkl", "model.json"])
@pytest.mark.parametrize("width", ["int64", "int32", "uint8"])
def test_xgboost_refuses_an_unknown_whole_number(tmp_path: Path, form: str, width: str) -> None:
    """Categories that are not 0, 1, ... are found by value in the pickle as in the file; others are the client's fault."""
    import xgboost

    values = [101, 205, 250]
    table = pd.DataFrame({"shop": categories(np.array(values, dtype=width)), "x": np.linspace(0, 1, ROWS)})
    model = xgboost.XGBRegressor(n_estimators=10, enable_categorical=True).fit(table, (table["shop"] == 205) * 5.0)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    (tmp_path / "booster.pkl").write_bytes(pickle.dumps(model.get_booster()))
    model.save_model(tmp_path / "model.json")
    asked = pd.DataFrame({"shop": [205, 101, 250], "x": [0.1, 0.2, 0.3]})
    info = inspected(tmp_path / form)
    rows = asked.to_dict("records")
    asked["shop"] = pd.Categorical(asked["shop"].astype(width), categories=table["shop"].cat.categories)
    np.testing.assert_allclose(answered(info, rows), model.predict(asked), rtol=1e-6)
    assert len(answered(info, [{"shop": None, "x": 0.1}])) == 1
    for unknown in (7, 205.5):
        with pytest.raises(ValueError, match="no category of shop") as raised:
            answered(info, [{"shop": unknown, "x": 0.1}])
        assert type(raised.value).__name__ == "InputError"
    assert info.signatures[0].unknown_categories == "refused"


@pytest.mark.parametrize("form", ["model.pkl", "model.cbm"])
def test_catboosts_whole_numbers_are_their_text(tmp_path: Path, form: str) -> None:
    """A whole number or a boolean is the text that CatBoost makes of it; a missing category or text is refused by the rows."""
    import catboost

    table = pd.DataFrame(
        {"zip": categories([89073, 50667]).astype(int), "flag": categories([True, False]).astype(bool)}
    )
    table["word"], table["x"] = (
        pd.Series(np.where(np.arange(ROWS) % 3 == 0, "very late", "all fine")),
        np.linspace(0, 1, ROWS),
    )
    model = catboost.CatBoostRegressor(
        iterations=10, verbose=0, allow_writing_files=False, cat_features=["zip", "flag"], text_features=["word"]
    ).fit(table, (table["zip"] == 89073) * 3.0 + table["flag"] + (table["word"] == "very late"))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    model.save_model(str(tmp_path / "model.cbm"))
    info = inspected(tmp_path / form)
    asked = [(89073, True, "late", 0.5), (50667, False, "fine", 0.5), (1, True, "late", None)]
    wanted = model.predict(pd.DataFrame(asked, columns=table.columns))
    np.testing.assert_allclose(answered(info, [list(row) for row in asked]), wanted)
    texts = [[str(number), str(int(flag)), *rest] for number, flag, *rest in asked]
    np.testing.assert_allclose(answered(info, texts), wanted)
    for place, said in ((0, "a string or a whole number"), (2, "a string (BYTES)")):
        row: list[Any] = [89073, True, "late", 0.5]
        row[place] = None
        with pytest.raises(BadInputError, match="got null") as raised:
            answered(info, [row])
        assert said in raised.value.message


def test_categories_behind_a_sampler(tmp_path: Path) -> None:
    """In a pipeline of another package's steps the booster gets a table with pandas' categories, found by value too."""
    import lightgbm
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.pipeline import make_pipeline

    table = pd.DataFrame({"flag": categories([True, False]), "shop": categories([3, 7, 11])})
    target = ((table["flag"] == True) & (table["shop"] == 7)).astype(int)  # noqa: E712 - a column
    booster = lightgbm.LGBMClassifier(n_estimators=10, min_child_samples=5, verbose=-1)
    model = make_pipeline(RandomOverSampler(random_state=0), booster).fit(table, target)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    info = inspected(tmp_path / "model.pkl")
    asked = pd.DataFrame({"flag": [True, False, True], "shop": [7, 7, 3]})
    rows = asked.to_dict("records")
    for name in asked:
        asked[name] = pd.Categorical(asked[name], categories=table[name].cat.categories)
    assert answered(info, rows) == model.predict(asked).tolist()
    assert answered(info, [{"flag": 1, "shop": 7}]) == [1]
    assert len(answered(info, [{"flag": None, "shop": 8}])) == 1


def test_an_ensemble_of_a_booster_and_an_encoder(tmp_path: Path) -> None:
    """The encoder gets the values of a category, not the codes that the booster alone would take."""
    import lightgbm
    from sklearn.ensemble import VotingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    table = pd.DataFrame({"word": categories(["u", "v", "w"]), "shop": categories([3, 7, 11])})
    booster = lightgbm.LGBMRegressor(n_estimators=10, min_child_samples=5, verbose=-1)
    model = VotingRegressor([("a", booster), ("b", make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge()))])
    model.fit(table, (table["word"] == "v") * 2.0 + (table["shop"] == 7))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    asked = pd.DataFrame({"word": ["v", "u", "w"], "shop": [7, 7, 3]})
    rows = asked.to_dict("records")
    for name in asked:
        asked[name] = pd.Categorical(asked[name], categories=table[name].cat.categories)
    np.testing.assert_allclose(answered(inspected(tmp_path / "model.pkl"), rows), model.predict(asked))
