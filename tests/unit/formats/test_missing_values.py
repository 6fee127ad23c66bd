"""Columns of Python objects: a missing value, a boolean or a number reaches the model as it was in training."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from mlpack.artifacts.model import ModelInfo
from mlpack.formats.sklearn import loader
from mlpack.formats.sklearn.encoders import encoded
from mlpack.formats.sklearn.estimators import Estimator
from mlpack.readers.pickles.values import Array, Global, Instance
from mlpack.runtime.card import Signature
from mlpack.runtime.errors import BadInputError
from mlpack.runtime.models.guard import Guard
from mlpack.runtime.protocols.encoding.rows import Rows
from tests.unit.formats.fitted import inspected

Y = [1.5, 5.0, 2.0, 9.0, 4.0, 7.0, 3.0, 8.5]
NONE = ["p", None, "q", None, "p", "q", None, "p"]
NAN = ["u", "u", np.nan, "v", np.nan, "v", "u", np.nan]
FLAGS = [True, np.nan, False, False, np.nan, True, True, False]


def table(**columns: Any) -> Any:
    """Columns of objects, as pandas has what came from a database, beside one of numbers."""
    held: dict[str, Any] = {name: pd.Series(values, dtype=object) for name, values in columns.items()}
    return pd.DataFrame({**held, "x": np.arange(8.0)})


def trained(frame: Any, *parts: Any) -> Any:
    steps = ColumnTransformer([(f"s{place}", *part) for place, part in enumerate(parts)], remainder="passthrough")
    return make_pipeline(steps, Ridge(1e-3)).fit(frame, Y)


def served(info: ModelInfo, rows: list[Any]) -> list[float]:
    """The predictions as the image makes them, of rows of JSON."""
    signature = Signature.from_json(json.loads(json.dumps(info.signatures[0].to_json())))
    inputs, _ = Rows(signature, 100).decode(json.loads(json.dumps(rows)))
    model = loader.load(str(info.path), dict(info.options), Guard(info.names))
    return loader.predict(model, signature, inputs)["predict"].tolist()  # type: ignore[no-any-return]  # an array's


def rows_of(frame: Any) -> list[Any]:
    """The rows as JSON: all that is missing is null."""
    return [
        {name: None if value is None or value != value else value for name, value in row.items()}  # noqa: PLR0124 - NaN
        for row in frame.to_dict("records")
    ]


def constant(missing: Any = np.nan) -> Any:
    fill = SimpleImputer(missing_values=missing, strategy="constant", fill_value="none")
    return make_pipeline(fill, OneHotEncoder(handle_unknown="ignore"))


@pytest.mark.parametrize(
    "part",
    [
        (OneHotEncoder(handle_unknown="ignore"), ["n"]),
        (OneHotEncoder(), ["n"]),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["n"]),
        (TargetEncoder(cv=2, smooth=0.1), ["n"]),
        (constant(None), ["n"]),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["n"]),  # which leaves None as it is
    ],
)
def test_none_in_a_column_of_texts_stays_none(tmp_path: Path, part: Any) -> None:
    """Also with pandas 3, whose own type of texts would make NaN of it."""
    frame = table(n=NONE)
    model = trained(frame, part)
    np.testing.assert_allclose(served(inspected(model, tmp_path), rows_of(frame)), model.predict(frame))


@pytest.mark.parametrize(
    "parts",
    [
        [(OneHotEncoder(handle_unknown="ignore"), ["n"]), (constant(), ["o"])],
        [(OneHotEncoder(handle_unknown="ignore"), ["n", "o"])],
        [(constant(None), ["n"]), (constant(), ["o"])],
        [(OneHotEncoder(handle_unknown="ignore"), ["o"]), (constant(None), ["n"])],
    ],
)
def test_each_column_has_its_own_mark_for_what_is_missing(tmp_path: Path, parts: Any) -> None:
    """None in one, NaN in the other, by the encoder's categories or the imputer's parameter."""
    frame = table(n=NONE, o=NAN)
    model = trained(frame, *parts)
    info = inspected(model, tmp_path)
    assert info.options["missing"] == {"n": "none", "o": "nan"}
    np.testing.assert_allclose(served(info, rows_of(frame)), model.predict(frame))


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ({"b": FLAGS}, (OneHotEncoder(handle_unknown="ignore"), ["b"])),
        (
            {"b": [one if isinstance(one, bool) else None for one in FLAGS]},
            (OneHotEncoder(handle_unknown="ignore"), ["b"]),
        ),
        ({"c": NONE, "b": FLAGS}, (OneHotEncoder(handle_unknown="ignore"), ["c", "b"])),
        ({"b": [1, None, 3, 3, None, 1, 1, 3]}, (OneHotEncoder(handle_unknown="ignore"), ["b"])),
        ({"b": FLAGS}, (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["b"])),
        (
            {"c": NAN, "b": FLAGS},
            (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["c", "b"]),
        ),
        (
            {"c": NAN, "b": [1, np.nan, 3, 3, np.nan, 1, 1, 3]},
            (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["c", "b"]),
        ),
    ],
)
def test_booleans_and_numbers_with_missing_values_beside_them(tmp_path: Path, columns: Any, part: Any) -> None:
    """Such a column takes true, false or a number, and null; the encoder gets the objects that it was trained with."""
    frame = table(**columns)
    model = trained(frame, part)
    info = inspected(model, tmp_path)
    np.testing.assert_allclose(served(info, rows_of(frame)), model.predict(frame))


@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        TargetEncoder(cv=2, smooth=0.1),
    ],
)
def test_an_encoder_of_whole_numbers_that_answers_any_value(tmp_path: Path, encoder: Any) -> None:
    """A value that it does not know may be missing, or no whole number."""
    frame = table().assign(k=[3, 7, 11, 3, 7, 3, 11, 3])
    model = trained(frame, (encoder, ["k"]))
    asked = frame.assign(k=[3, np.nan, 7.5, 11, 99, 3, 7, np.nan])
    np.testing.assert_allclose(served(inspected(model, tmp_path), rows_of(asked)), model.predict(asked))


@pytest.mark.parametrize(
    ("encoder", "values"),
    [(OneHotEncoder(), [3, 7]), (OneHotEncoder(handle_unknown="ignore"), [2**53 + 1, 2**53 + 2])],
)
def test_whole_numbers_stay_whole(tmp_path: Path, encoder: Any, values: list[int]) -> None:
    """Where an encoder refuses other values, and where FP64 would make two numbers one."""
    frame = table().assign(k=values * 4)
    model = trained(frame, (encoder, ["k"]))
    info = inspected(model, tmp_path)
    assert {spec.name: spec.dtype for spec in info.signatures[0].inputs} == {"x": "FP64", "k": "INT64"}
    np.testing.assert_allclose(served(info, rows_of(frame)), model.predict(frame))


def test_booleans_without_a_column_transformer(tmp_path: Path) -> None:
    """A table of nothing but booleans and numbers is no matrix where booleans may be missing."""
    frame = table(b=FLAGS)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), Ridge(1e-3)).fit(frame, Y)
    info = inspected(model, tmp_path)
    np.testing.assert_allclose(served(info, rows_of(frame)), model.predict(frame))
    signature = Signature.from_json(json.loads(json.dumps(info.signatures[0].to_json())))
    with pytest.raises(BadInputError, match="expected true, false or null"):
        Rows(signature, 10).decode([{"b": "yes", "x": 1}])


@pytest.mark.parametrize(
    ("made", "zone"),
    [
        (lambda days: days.tz_localize("UTC"), "UTC"),
        (lambda days: days.tz_localize("Europe/Berlin"), "Europe/Berlin"),
        (lambda days: days.tz_localize(dt.timezone(dt.timedelta(hours=5, minutes=30))), "UTC"),
        (lambda days: pd.Series(days, dtype=object), ""),
        (lambda days: pd.Series([*days[:7], pd.NaT], dtype=object), ""),
        (lambda days: pd.Series(days.to_pydatetime(), dtype=object), ""),
    ],
)
def test_categories_that_are_times(tmp_path: Path, made: Callable[[Any], Any], zone: str) -> None:
    """An encoder's known times are compared with times, of the zone that they had in training."""
    days = pd.DatetimeIndex(["2024-01-01", "2024-07-02", "2024-01-01", "2024-07-02", "2023-05-05"] + ["2024-01-01"] * 3)
    frame = table().assign(d=made(days))
    model = trained(frame, (OneHotEncoder(handle_unknown="ignore"), ["d"]))
    info = inspected(model, tmp_path)
    assert info.signatures[0].dates == {"d": zone}
    rows = [{**row, "d": row["d"] and row["d"].isoformat()} for row in rows_of(frame)]
    np.testing.assert_allclose(served(info, rows), model.predict(frame))


@pytest.mark.parametrize(
    ("zone", "name"),
    [
        (None, ""),
        (Instance(callable=Global("pytz", "_UTC")), "UTC"),
        (Instance(callable=Global("pytz", "_p"), args=("Europe/Berlin", 3600, 0, "CET")), "Europe/Berlin"),
        (Instance(callable=Global("pytz", "_FixedOffset"), args=(330,)), "UTC"),
    ],
)
def test_timestamps_of_pandas_1_have_zones_of_pytz(zone: Any, name: str) -> None:
    """pandas 1 writes the class Timestamp with the value, the frequency and the time zone."""
    stamp = Instance(callable=Global("pandas._libs.tslibs.timestamps", "Timestamp"), args=(0, None, zone))
    known = [Array(dtype="|O", shape=(1,), objects=(stamp,))]
    encoder = Instance(callable=Global("sklearn.preprocessing", "OneHotEncoder"), state={"categories_": known})
    (column,) = encoded(Estimator(encoder), 1)
    assert (column.date, column.objects, column.problem) == (name, True, "")


@pytest.mark.parametrize("value", [dt.date(2024, 1, 1), pd.Interval(0, 1), b"bytes"])
def test_categories_that_json_cannot_hold_are_a_problem(tmp_path: Path, value: Any) -> None:
    """A text would equal none of them, and the encoder would answer as for an unknown value."""
    frame = table(d=[value] * 8)
    info = inspected(trained(frame, (OneHotEncoder(handle_unknown="ignore"), ["d"])), tmp_path)
    assert info.signatures == ()
    assert any("column 'd' holds" in told for told in info.warnings), info.warnings


def test_a_model_of_the_users_own_loading_knows_none(tmp_path: Path) -> None:
    """Without the options of the file, any encoder that knows None says what stands for a missing text."""
    frame = table(n=NONE)
    model = trained(frame, (OneHotEncoder(), ["n"]))
    info = inspected(model, tmp_path)
    signature = Signature.from_json(json.loads(json.dumps(info.signatures[0].to_json())))
    inputs, _ = Rows(signature, 100).decode(rows_of(frame))
    wrapped = loader.wrap(pickle.loads(pickle.dumps(model)))
    found = loader.predict(wrapped, signature, inputs)["predict"]
    np.testing.assert_allclose(found, model.predict(frame))
