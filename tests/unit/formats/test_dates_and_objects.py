"""Models whose rows are dates or objects with any keys: what inspection declares, and what is answered to rows of JSON."""

from __future__ import annotations

import json
import sys
from datetime import timedelta, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, OneHotEncoder

from mlpack.artifacts.model import ModelInfo
from mlpack.formats.mlflow.signatures import overlaid, signature_of
from mlpack.formats.sklearn import loader
from mlpack.readers.dates import DateText
from mlpack.readers.samples import read_sample
from mlpack.runtime.card import Signature
from mlpack.runtime.errors import BadInputError
from mlpack.runtime.protocols.encoding.fitting import fit
from mlpack.runtime.protocols.encoding.rows import Rows
from mlpack.runtime.protocols.examples import example
from mlpack.runtime.protocols.schemas import row_schema
from tests.unit.formats.fitted import inspected

TIMES = pd.to_datetime(["2024-03-01 02:00", "2024-07-09 17:00", "2024-12-31 00:00", "2024-01-05 08:30"])
TABLE = pd.DataFrame({"when": TIMES, "people": [3, 5, 1, 2]})
TARGET = [5.0, 12.0, 13.0, 3.0]


def calendar(frame: Any) -> Any:
    """Month and hour of a column of dates, as user code takes them."""
    return pd.DataFrame({"month": frame["when"].dt.month, "hour": frame["when"].dt.hour})


def demand(table: Any = TABLE, columns: Any = ("when",)) -> Any:
    chosen = list(columns) if isinstance(columns, tuple) else columns
    dates = ("calendar", FunctionTransformer(calendar), chosen)
    steps = ColumnTransformer([dates, ("n", "passthrough", ["people"])])
    return make_pipeline(steps, Ridge(1e-6)).fit(table, TARGET)


def datetime_features(patched: pytest.MonkeyPatch) -> Any:
    """A step that its pickle names as feature_engine's."""
    made = type("DatetimeFeatures", (TransformerMixin, BaseEstimator), {"fit": _fit_dates, "transform": _date_parts})
    made.__module__ = "feature_engine.datetime.datetime"
    for name in ("feature_engine", "feature_engine.datetime", made.__module__):
        patched.setitem(sys.modules, name, ModuleType(name))
    patched.setattr(sys.modules[made.__module__], "DatetimeFeatures", made, raising=False)
    return made()


def _fit_dates(step: Any, table: Any, _target: Any = None) -> Any:
    step.variables_, step.feature_names_in_, step.n_features_in_ = ["when"], list(table.columns), table.shape[1]
    return step


def _date_parts(_step: Any, table: Any) -> Any:
    return table.assign(when=table["when"].dt.hour)


def signature_in(info: ModelInfo) -> Signature:
    """The default signature as the runtime reads it from the card."""
    return Signature.from_json(json.loads(json.dumps(info.signatures[0].to_json())))


def answers(info: ModelInfo, model: Any, rows: list[Any]) -> list[Any]:
    """The predictions of the default signature."""
    signature = signature_in(info)
    inputs, _ = Rows(signature, 100).decode(rows)
    (output,) = loader.predict(loader.wrap(model), signature, inputs).values()
    return output.tolist()  # type: ignore[no-any-return]  # an array's


def sample(folder: Path, table: Any, name: str) -> list[Any]:
    path = folder / name
    if name.endswith(".csv"):
        table.to_csv(path, index=False)
    elif name.endswith(".json"):
        path.write_text(table.to_json(orient="records", date_format="iso", date_unit="s").replace("Z", ""))
    else:
        pytest.importorskip("pyarrow")
        table.to_parquet(path)
    return read_sample(path)


@pytest.mark.parametrize("name", ["rows.csv", "rows.json", "rows.parquet"])
def test_a_sample_tells_columns_of_dates(tmp_path: Path, name: str) -> None:
    """ISO texts of a sample and timestamps of parquet make a column of dates, which the model gets as datetime64."""
    model = demand()
    info = inspected(model, tmp_path, sample=tuple(sample(tmp_path, TABLE, name)))
    assert info.signatures[0].dates == {"when": ""}
    rows = [{"when": when.isoformat(), "people": people} for when, people in zip(TIMES, TABLE["people"], strict=True)]
    np.testing.assert_allclose(answers(info, model, rows), model.predict(TABLE))


def test_a_column_of_dates_with_a_time_zone(tmp_path: Path) -> None:
    """Times with offsets become times of the column's zone, so that the hour is that of the training data."""
    pytest.importorskip("pyarrow")
    table = TABLE.assign(when=TIMES.tz_localize("Europe/Berlin"))
    model = demand(table)
    info = inspected(model, tmp_path, sample=tuple(sample(tmp_path, table, "rows.parquet")))
    assert info.signatures[0].dates == {"when": "Europe/Berlin"}
    rows = [
        [when.isoformat(), people]
        for when, people in zip(TIMES.tz_localize("Europe/Berlin").tz_convert("UTC"), TABLE["people"], strict=True)
    ]
    np.testing.assert_allclose(answers(info, model, rows), model.predict(table))


def test_a_fixed_offset_of_parquet_is_kept(tmp_path: Path) -> None:
    """The hours are those of the training data where a zone is nothing but an offset."""
    pytest.importorskip("pyarrow")
    table = TABLE.assign(when=TIMES.tz_localize(timezone(timedelta(hours=5, minutes=30))))
    model = demand(table)
    info = inspected(model, tmp_path, sample=tuple(sample(tmp_path, table, "rows.parquet")))
    assert info.signatures[0].dates == {"when": "+05:30"}
    rows = [[when.isoformat(), people] for when, people in zip(table["when"], TABLE["people"], strict=True)]
    np.testing.assert_allclose(answers(info, model, rows), model.predict(table))


@pytest.mark.parametrize("zone", ["Europe/Berlin", "+05:30"])
def test_offsets_in_texts_tell_no_time_zone(tmp_path: Path, zone: str) -> None:
    """In UTC the model would be given other hours; the remedy is a sample that keeps the zone."""
    table = TABLE.assign(when=TIMES.tz_localize(zone))
    info = inspected(demand(table), tmp_path, sample=tuple(sample(tmp_path, table, "rows.csv")))
    assert info.signatures == ()
    assert "does not tell their time zone" in " ".join(info.warnings)
    assert ".parquet" in info.advice


@pytest.mark.parametrize("name", ["rows.csv", "rows.json"])
def test_texts_in_utc_are_times_in_utc(tmp_path: Path, name: str) -> None:
    """`Z` and `+00:00` are a zone."""
    table = TABLE.assign(when=TIMES.tz_localize("UTC"))
    if name.endswith(".json"):
        rows = [{"when": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "people": 1} for when in TIMES]
        (tmp_path / name).write_text(json.dumps(rows))
        found = read_sample(tmp_path / name)
    else:
        found = sample(tmp_path, table, name)
    assert inspected(demand(table), tmp_path, sample=tuple(found)).signatures[0].dates == {"when": "UTC"}


@pytest.mark.parametrize("value", ["yesterday", "2024-02-30", "2024-03-01T02:00:00Z", 5, "0001-01-01"])
def test_a_text_that_is_no_date_is_refused(tmp_path: Path, value: Any) -> None:
    """Over JSON and over Open Inference: a time with an offset is none of a column without a time zone."""
    signature = signature_in(inspected(demand(), tmp_path, sample=tuple(sample(tmp_path, TABLE, "rows.csv"))))
    with pytest.raises(BadInputError, match='row 0, column "when": expected an ISO 8601 date'):
        Rows(signature, 10).decode([[value, 1]])
    if isinstance(value, str):
        with pytest.raises(BadInputError, match=r'tensor "when" at .0.: expected an ISO 8601 date'):
            fit(signature, {"when": np.array([value], dtype=object), "people": np.array([1.0])}, 10)


def test_open_inference_and_openapi_of_dates(tmp_path: Path) -> None:
    """Dates are texts on that wire, `date-time` in the schema, and null is a missing one."""
    signature = signature_in(inspected(demand(), tmp_path, sample=tuple(sample(tmp_path, TABLE, "rows.csv"))))
    texts = np.array(["2024-03-01 02:00", None], dtype=object)
    arrays, _ = fit(signature, {"when": texts, "people": np.array([1.0, 2.0])}, 10)
    assert arrays["when"].dtype == "datetime64[ns]"
    assert np.isnat(arrays["when"]).tolist() == [False, True]
    assert row_schema(signature)["anyOf"][0]["properties"]["when"]["format"] == "date-time"
    Rows(signature, 10).decode([example(signature)])


def test_the_file_tells_dates(tmp_path: Path) -> None:
    """A selector by type, an encoder's categories: without a sample."""
    model = demand(columns=make_column_selector(dtype_include="datetime64"))
    assert inspected(model, tmp_path).signatures[0].dates == {"when": ""}
    days = ColumnTransformer([("day", OneHotEncoder(), ["when"]), ("n", "passthrough", ["people"])])
    model = make_pipeline(days, Ridge()).fit(TABLE, TARGET)
    info = inspected(model, tmp_path)
    assert info.signatures[0].dates == {"when": ""}
    rows = [[when.isoformat(), people] for when, people in zip(TIMES, TABLE["people"], strict=True)]
    np.testing.assert_allclose(answers(info, model, rows), model.predict(TABLE))


def test_labels_that_are_dates_are_encoded(tmp_path: Path) -> None:
    """A LabelEncoder of dates compares the request's dates with those of training."""
    model = LabelEncoder().fit(TIMES.to_numpy())
    info = inspected(model, tmp_path)
    rows = [when.isoformat() for when in TIMES]
    assert answers(info, model, rows) == model.transform(TIMES.to_numpy()).tolist()


def test_a_step_that_reads_the_parts_of_dates_leaves_their_zone_to_the_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """feature_engine's step takes dates with a zone, without one, and texts: the rows tell which they were."""
    model = make_pipeline(datetime_features(monkeypatch), Ridge()).fit(TABLE, TARGET)
    assert inspected(model, tmp_path).signatures[0].dates == {"when": ""}
    zoned = [DateText.of("2024-01-01T02:00:00+01:00", "Europe/Berlin"), DateText.of("2024-07-01T02:00:00+02:00", "")]
    for text, dates in ((zoned[0], {"when": "Europe/Berlin"}), (zoned[1], {"when": ""}), ("1 May 2024", {})):
        info = inspected(model, tmp_path, sample=({"when": text, "people": 1},))
        assert info.signatures[0].dates == dates
        assert [spec.dtype for spec in info.signatures[0].inputs] == ["BYTES", "FP64"]


def test_an_mlflow_signature_tells_dates(tmp_path: Path) -> None:
    """MLflow's column type `datetime`, for a column whose type the model file does not tell."""
    declared = signature_of({
        "inputs": '[{"type": "datetime", "name": "when"}, {"type": "long", "name": "people"}]',
        "outputs": '[{"type": "double"}]',
    })  # fmt: skip
    found = overlaid(inspected(demand(), tmp_path).signatures[0], declared)
    assert found.dates == {"when": ""}
    assert [spec.dtype for spec in found.inputs] == ["BYTES", "FP64"]


OBJECTS = [
    {"contract": "monthly", "tenure": 3},
    {"contract": "yearly", "tenure": 60},
    {"tenure": 2, "tags": ["a", "b"]},
]


@pytest.mark.parametrize("first", [DictVectorizer(), DictVectorizer(sparse=False, separator=":"), FeatureHasher(16)])
def test_rows_of_any_keys(tmp_path: Path, first: Any) -> None:
    """Objects with known, unknown and missing keys are answered as the pipeline itself answers them."""
    rows = OBJECTS if isinstance(first, DictVectorizer) else OBJECTS[:2]
    model = Pipeline([("objects", first), ("model", LogisticRegression())]).fit(rows, [1, 0, 1][: len(rows)])
    info = inspected(model, tmp_path)
    signature = signature_in(info)
    asked = [*rows, {"contract": "weekly", "new": "key"}, {}]
    assert answers(info, model, asked) == model.predict(asked).tolist()
    arrays, _ = fit(signature, {"row": np.array([json.dumps(row) for row in asked], dtype=object)}, 10)
    assert arrays["row"].tolist() == asked
    assert row_schema(signature)["type"] == "object"
    Rows(signature, 10).decode([example(signature)])


@pytest.mark.parametrize("row", [[1, 2], "text", {"key": {"in": 1}}, {"key": [1]}, None])
def test_rows_that_are_no_flat_objects_are_refused(tmp_path: Path, row: Any) -> None:
    """Each is 400, with what a row must be."""
    model = Pipeline([("objects", DictVectorizer()), ("model", LogisticRegression())]).fit(OBJECTS, [1, 0, 1])
    signature = signature_in(inspected(model, tmp_path))
    with pytest.raises(BadInputError, match=r"row 0.*expected an object"):
        Rows(signature, 10).decode([row])
    with pytest.raises(BadInputError, match=r"row 0.*expected"):
        fit(signature, {"row": np.array([json.dumps(row)[:-1] if row is None else json.dumps(row)], dtype=object)}, 10)
