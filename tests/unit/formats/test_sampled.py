"""A few rows of the user's settle what the file does not tell."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from mlpack.formats.sklearn import loader
from mlpack.runtime.card import Signature
from mlpack.runtime.protocols.encoding.rows import Rows
from tests.unit.formats.fitted import inspected

ROWS = [{"age": 31, "plan": "pro"}, {"age": 44, "plan": "basic"}]
TABLE = pd.DataFrame({"age": [31.0, 44.0, 20.0, 60.0], "plan": ["pro", "basic", "pro", "basic"]})


class Names(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A transformer of the user's that notes its columns."""

    def fit(self, rows: Any, _y: Any = None) -> Names:
        """Note them."""
        self.feature_names_in_ = np.array(rows.columns, dtype=object)
        return self

    def transform(self, rows: Any) -> Any:
        """Hand on what it got."""
        return rows


class Silent(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A transformer of the user's that notes nothing."""

    def fit(self, _rows: Any, _y: Any = None) -> Silent:
        """Be fitted."""
        self.fitted_ = True
        return self

    def transform(self, rows: Any) -> Any:
        """Hand on what it got."""
        return rows


def model(first: Any) -> Any:
    columns = ColumnTransformer([("plan", OneHotEncoder(), ["plan"])], remainder="passthrough")
    steps = [("first", first), ("columns", columns), ("model", LogisticRegression())]
    return Pipeline(steps).fit(TABLE, [0, 1, 0, 1])


def inputs(first: Any, folder: Path, sample: list[Any]) -> tuple[dict[str, str], tuple[str, ...]]:
    info = inspected(model(first), folder, sample=sample)
    signature = info.signatures[0]
    return {spec.name: spec.dtype for spec in signature.inputs}, signature.assumed


def test_text_in_a_row_settles_a_column_that_was_taken_for_numbers(tmp_path: Path) -> None:
    """A named column whose type the file does not tell holds text where the rows do; the others stay assumed numbers."""
    assert inputs(Names(), tmp_path, []) == ({"age": "FP64", "plan": "FP64"}, ("age", "plan"))
    assert inputs(Names(), tmp_path, ROWS) == ({"age": "FP64", "plan": "BYTES"}, ("age",))
    assert inputs(Names(), tmp_path, [list(row.values()) for row in ROWS]) == (
        {"age": "FP64", "plan": "BYTES"},
        ("age",),
    )


def lengths_of(table: Any) -> Any:
    """A function of the user's that takes a table with a column of texts, and gives numbers."""
    return pd.DataFrame({"length": table["plan"].str.len(), "age": table["age"]})


def as_texts(table: Any) -> Any:
    return table.astype(str)


def decades(table: Any) -> Any:
    return (table // 10 * 10).astype(int)


def test_numbers_behind_a_function_of_the_users_are_no_numbers_before_it(tmp_path: Path) -> None:
    """What a last estimator takes tells nothing of the columns that the function reads: the rows do."""
    made = Pipeline([("own", FunctionTransformer(lengths_of)), ("model", LogisticRegression())]).fit(
        TABLE, [0, 1, 0, 1]
    )
    bare = inspected(made, tmp_path).signatures[0]
    assert (bare.layout, bare.assumed) == ("columns", ("age", "plan"))
    signature = inspected(made, tmp_path, sample=ROWS).signatures[0]
    assert {spec.name: spec.dtype for spec in signature.inputs} == {"age": "FP64", "plan": "BYTES"}
    arrays, _ = Rows(Signature.from_json(json.loads(json.dumps(signature.to_json()))), 10).decode(ROWS)
    found = loader.predict(loader.wrap(made), signature, arrays)["predict"]
    assert found.tolist() == made.predict(pd.DataFrame(ROWS)).tolist()


def lengths_in(array: Any) -> Any:
    """A function of the user's that takes an array with a column of texts."""
    return np.array([[len(text), number] for text, number in array[:, :2]], dtype=float)


@pytest.mark.parametrize("named", [True, False])
def test_a_function_that_takes_an_array_of_texts_and_numbers(tmp_path: Path, named: bool) -> None:
    """Rows with a text make columns, which the function is given as the array that it was trained on."""
    table = np.array([["a", 1.0], ["bbb", 2.0], ["cc", 3.0], ["dddd", 1.0]], dtype=object)
    made = Pipeline([("own", FunctionTransformer(lengths_in)), ("model", LinearRegression())]).fit(table, [1, 2, 3, 5])
    rows: list[Any] = [{"text": text, "number": number} for text, number in table] if named else table.tolist()
    info = inspected(made, tmp_path, sample=rows)
    signature = Signature.from_json(json.loads(json.dumps(info.signatures[0].to_json())))
    arrays, _ = Rows(signature, 10).decode(rows)
    model = loader.Model(made, info.options)
    np.testing.assert_allclose(loader.predict(model, signature, arrays)["predict"], made.predict(table))


@pytest.mark.parametrize("function", [np.log1p, functools.partial(np.clip, a_min=0, a_max=9)])
def test_functions_of_numpy_take_numbers(tmp_path: Path, function: Any) -> None:
    """They hand on as many columns of numbers as they got, so the next step still tells what they are."""
    made = Pipeline([("log", FunctionTransformer(function)), ("model", LogisticRegression())])
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [3.0, 1.0, 2.0]})
    signature = inspected(made.fit(table, [0, 1, 0]), tmp_path).signatures[0]
    assert (signature.layout, signature.assumed) == ("matrix", ())


def test_categories_behind_a_function_of_the_users_are_a_guess(tmp_path: Path) -> None:
    """Texts behind it are likely texts before it, numbers tell nothing; the rows decide."""
    steps = [
        ("plan", Pipeline([("own", FunctionTransformer(as_texts)), ("hot", OneHotEncoder())]), ["plan"]),
        ("code", Pipeline([("own", FunctionTransformer(as_texts)), ("hot", OneHotEncoder())]), ["code"]),
        ("age", Pipeline([("own", FunctionTransformer(decades)), ("hot", OneHotEncoder())]), ["age"]),
    ]
    table = TABLE.assign(code=[7, 8, 7, 8])
    made = Pipeline([("c", ColumnTransformer(steps)), ("m", LogisticRegression())]).fit(table, [0, 1, 0, 1])
    bare = inspected(made, tmp_path).signatures[0]
    assert {spec.name: spec.dtype for spec in bare.inputs} == {"age": "FP64", "plan": "BYTES", "code": "BYTES"}
    assert bare.assumed == ("age",)
    signature = inspected(made, tmp_path, sample=[{**row, "code": 7} for row in ROWS]).signatures[0]
    assert {spec.name: spec.dtype for spec in signature.inputs} == {"age": "FP64", "plan": "BYTES", "code": "FP64"}
    assert dict(signature.categories) == {"plan": ("basic", "pro")}


def test_without_rows_the_reader_is_told(tmp_path: Path) -> None:
    """What was assumed is said, with the way to say it better."""
    told = " ".join(inspected(model(Names()), tmp_path).warnings)
    assert "numbers are assumed: age, plan" in told
    assert "--sample" in told
    assert "numbers are assumed" not in " ".join(inspected(model(Names()), tmp_path, sample=ROWS).warnings)


def test_whole_numbers_in_a_few_rows_are_numbers(tmp_path: Path) -> None:
    """Twenty customers with whole ages do not mean that an age is never missing or broken."""
    assert inputs(Silent(), tmp_path, ROWS) == ({"age": "FP64", "plan": "BYTES"}, ())


def lengths(rows: Any) -> Any:
    """Number and sum of the values of each row, which may be a list of lists."""
    return np.array([[len(row), float(sum(map(np.sum, row)))] for row in rows])


@pytest.mark.parametrize(
    ("rows", "shape"),
    [
        ([[1.0, 2.0], [3.0], [1.0, 2.0, 3.0]], (-1,)),  # series of different lengths
        ([[[1.0, 2.0], [3.0]], [[4.0], [5.0]], [[1.0], [2.0]]], (-1,)),  # several series a row
        ([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]], [[1.0, 0.0], [2.0, 0.0]]], (-1, 2, 2)),  # a panel
    ],
)
def test_rows_of_different_lengths_are_passed_on(tmp_path: Path, rows: list[Any], shape: tuple[int, ...]) -> None:
    """A sample of lists of different lengths fixes no width: rows of other lengths are answered, too."""
    pipeline = Pipeline([("lengths", FunctionTransformer(lengths)), ("model", LogisticRegression())])
    pipeline.fit(rows, [0, 1, 0])
    info = inspected(pipeline, tmp_path, sample=rows)
    signature = Signature.from_json(json.loads(json.dumps(info.signatures[0].to_json())))
    assert signature.inputs[0].shape == shape
    asked = [*rows, [*rows[0], *rows[0]]] if len(shape) == 1 else rows
    arrays, _ = Rows(signature, 10).decode(asked)
    found = loader.predict(loader.wrap(pipeline), signature, arrays)
    assert found["predict"].tolist() == pipeline.predict(asked).tolist()
