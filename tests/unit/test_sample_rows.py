"""The user's sample rows are checked on the host, and tell what the file does not record."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from mlpack.artifacts.model import Signature, TensorSpec
from mlpack.formats.base import installed_formats
from mlpack.pipeline.inspect import inspect
from mlpack.pipeline.prepare import Examined, PrepareOptions, examine_model
from mlpack.pipeline.sample_rows import fit_rows
from mlpack.readers.samples import read_sample


def signature(*specs: tuple[str, str], raw: tuple[str, ...] = ()) -> Signature:
    inputs = tuple(TensorSpec(name=name, dtype=dtype, shape=(-1,)) for name, dtype in specs)
    return Signature(name="predict", method="predict", inputs=inputs, outputs=(), layout="columns", raw=raw)


def matrix(width: int, *names: str) -> Signature:
    spec = TensorSpec(name="input", dtype="FP64", shape=(-1, width))
    return Signature(name="predict", method="predict", inputs=(spec,), outputs=(), layout="matrix", columns=names)


AGE_CITY = signature(("age", "FP64"), ("city", "BYTES"))


@pytest.mark.parametrize(
    ("wanted", "rows", "problem"),
    [
        (AGE_CITY, [{"age": 1, "city": "a"}, {"Age": 1, "city": "a"}], "row 1 has no 'age'; the closest is 'Age'"),
        (AGE_CITY, [{"q": 1}], "row 0 has no 'age', 'city'; it has 'q'"),
        (AGE_CITY, [{"age": "old", "city": "a"}], "row 0, column 'age': 'old' is not a number"),
        (AGE_CITY, [["old", "a"]], "row 0, column 0: 'old' is not a number"),
        (AGE_CITY, [[1, "a", 2]], "row 0 has 3 values, and the model takes 2"),
        (
            signature(("x0", "BYTES"), ("x1", "FP64")),
            [{"a": "a", "b": 1, "y": 2}],
            "row 0 has 3 columns ('a', 'b', 'y'), and the model takes 2, whose names the file does not record",
        ),
        (matrix(3), [[1, 2]], "row 0 has 2 values, and the model takes 3"),
        (matrix(3), [{"a": 1, "b": 2}], "row 0 has 2 columns, and the model takes 3"),
        (matrix(2, "a", "b"), [{"a": 1, "b": "x"}], "row 0, column 'b': 'x' is not a number"),
        (AGE_CITY, [{"age": None, "city": None}, {"age": True, "city": "b"}], ""),
        (signature(("any", "FP64"), raw=("any",)), [{"anything": "at all"}], ""),
        (matrix(2), [[1, 2.5]], ""),
    ],
)
def test_rows_that_do_not_fit_are_told(wanted: Signature, rows: list[Any], problem: str) -> None:
    """Columns, widths and numbers; a missing value and a boolean are left to the service."""
    assert fit_rows(wanted, rows).problem == problem


def test_other_columns_are_left_out() -> None:
    """A sample that still has the target is fine: rows keep the model's columns, in its order."""
    fitted = fit_rows(AGE_CITY, [{"price": 3, "city": "a", "age": 1}])
    assert fitted.rows == [{"age": 1, "city": "a"}]
    assert list(fitted.rows[0]) == ["age", "city"]
    assert fitted.left_out == ("price",)


def examined(model: Any, folder: Path, text: str, name: str = "rows.csv") -> Examined:
    path, sample = folder / "m.pkl", folder / name
    path.write_bytes(pickle.dumps(model))
    sample.write_text(text)
    rows = read_sample(sample)
    info = inspect(path, formats=list(installed_formats().values()), sample=rows)
    return examine_model(info, PrepareOptions(folder=folder, sample=rows, sample_file=sample))


def test_a_bad_sample_is_a_need(tmp_path: Path) -> None:
    """It ends the build on the host, with the way to write a right one."""
    model = LinearRegression().fit([[1.0, 2.0], [2.0, 1.0]], [1.0, 2.0])
    (need,) = examined(model, tmp_path, "a,b,c\n1,2,3\n").needs
    assert (
        need.error.message == "the sample rows.csv does not fit the model: row 0 has 3 columns, and the model takes 2"
    )
    assert "to_csv" in need.error.hint
    assert need.error.exit == 2


def test_names_come_from_the_sample(tmp_path: Path) -> None:
    """A model of an array gets the sample's names instead of x0, x1, and is still called with an array."""
    model = LinearRegression().fit([[1.0, 2.0], [2.0, 1.0]], [1.0, 2.0])
    found = examined(model, tmp_path, "size,rooms\n1,2\n")
    assert found.info.signatures[0].columns == ("size", "rooms")
    assert found.info.options == {"nameless": True}
    assert any("those of the sample are used" in text for text in found.info.warnings)
    encoder = ColumnTransformer([("city", OneHotEncoder(), [0])], remainder="passthrough")
    mixed = make_pipeline(encoder, LinearRegression()).fit([["a", 1.0], ["b", 2.0]], [1.0, 2.0])
    found = examined(mixed, tmp_path, "city,size\na,1\n")
    assert [(spec.name, spec.dtype) for spec in found.info.signatures[0].inputs] == [
        ("city", "BYTES"),
        ("size", "FP64"),
    ]
    assert list(found.info.signatures[0].categories) == ["city"]


def test_numbers_in_a_column_of_text_stay_text(tmp_path: Path) -> None:
    """A postal code in a CSV file keeps its zero, because the model takes text there."""
    encoder = ColumnTransformer([("code", OneHotEncoder(handle_unknown="ignore"), ["code"])], remainder="passthrough")
    import pandas as pd

    frame = pd.DataFrame({"code": ["02139", "10115"], "size": [1.0, 2.0]})
    model = make_pipeline(encoder, LinearRegression()).fit(frame, [1.0, 2.0])
    found = examined(model, tmp_path, "code,size,price\n02139,1,9\n,2,9\n")
    assert found.prepared is not None
    assert found.prepared.sample == [{"code": "02139", "size": 1}, {"code": None, "size": 2}]
    assert (
        "the sample rows.csv has columns that the model does not take; they are left out: price." in found.info.warnings
    )
