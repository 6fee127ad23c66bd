"""The scikit-learn loader: files in, arrays in, arrays out, the model's own values."""

from __future__ import annotations

import functools
import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, OneHotEncoder, StandardScaler

from mlpack.readers.pickles.files import read_pickles
from mlpack.runtime.card import Signature, TensorSpec
from mlpack.runtime.models.guard import Guard
from tests.contract.served import SKLEARN_LOADER
from tests.loading import module_at
from tests.unit.formats.fitted import inspected


@pytest.fixture
def loader() -> ModuleType:
    return module_at(SKLEARN_LOADER, "loader_under_test")


def load(loader: ModuleType, path: Path, options: dict[str, Any]) -> Any:
    """The loaded model, by a guard that lists what inspection finds in the file."""
    pickles = read_pickles(path)
    assert pickles is not None
    return loader.load(str(path), options, Guard({"globals": [name.reference for name in pickles.globals]}))


def signature(
    method: str, layout: str, inputs: dict[str, tuple[str, int]], *outputs: str, columns: Any = ()
) -> Signature:
    specs = tuple(TensorSpec(name, dtype, (-1, width) if width else (-1,)) for name, (dtype, width) in inputs.items())
    outs = tuple(TensorSpec(name, "FP64", (-1,)) for name in outputs or (method,))
    return Signature(method, method, layout, specs, outs, None, tuple(columns), {}, False)


def answer(
    loader: ModuleType, tmp_path: Path, estimator: Any, asked: Signature, inputs: dict[str, Any]
) -> dict[str, Any]:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(estimator))
    model = load(loader, tmp_path / "m.pkl", {})
    answered: dict[str, Any] = loader.predict(model, asked, inputs)
    return answered


class Told(LinearRegression):  # type: ignore[misc]  # scikit-learn has no types
    """A model of an own class that tells what its rows are."""

    def predict(self, rows: Any) -> Any:
        """1 for rows that came as an array, else 0."""
        return np.full(len(rows), float(isinstance(rows, np.ndarray)))


def test_names_of_the_sample_do_not_make_tables(loader: ModuleType) -> None:
    """A model that was trained on an array gets an array, also where the names of its columns come from the sample."""
    estimator = Told().fit(X, X[:, 0])
    asked = signature("predict", "matrix", {"input": ("FP64", 3)}, columns=("a", "b", "c"))
    for nameless in (True, False):
        model = loader.Model(estimator, {"nameless": nameless})
        assert loader.predict(model, asked, {"input": X[:2]})["predict"].tolist() == [float(nameless)] * 2
    asked = signature("predict", "columns", dict.fromkeys("abc", ("FP64", 0)))
    model = loader.Model(FunctionTransformer().fit(X), {"nameless": True})
    model.steps, model.estimator = [estimator], estimator
    assert loader.predict(model, asked, dict(zip("abc", X.T, strict=True)))["predict"].tolist() == [1.0] * 40


X = np.random.default_rng(0).normal(size=(40, 3))


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3), ("lz4", 3)])
def test_joblib_files(loader: ModuleType, tmp_path: Path, compress: Any) -> None:
    """Files of joblib load, plain and by every compression."""
    model = LinearRegression().fit(X, X[:, 0])
    joblib.dump(model, tmp_path / "m", compress=compress)
    loaded = load(loader, tmp_path / "m", {})
    asked = signature("predict", "matrix", {"input": ("FP64", 3)})
    assert loader.predict(loaded, asked, {"input": X})["predict"].tolist() == model.predict(X).tolist()


def test_a_target_in_one_column_stays_one(loader: ModuleType, tmp_path: Path) -> None:
    """[[v], ...] is what such a model answers, whatever the file revealed of it."""
    model = TransformedTargetRegressor(LinearRegression(), transformer=StandardScaler()).fit(X, X[:, :1] * 2)
    asked = signature("predict", "matrix", {"input": ("FP64", 3)})
    assert answer(loader, tmp_path, model, asked, {"input": X})["predict"].shape == (40, 1)


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol(loader: ModuleType, tmp_path: Path, protocol: int) -> None:
    """Plain pickles load, also those that are written over several frames."""
    (tmp_path / "m").write_bytes(pickle.dumps({"a": list(range(50_000))}, protocol))
    assert load(loader, tmp_path / "m", {}).estimator["a"][-1] == 49_999


@pytest.mark.parametrize("entry", ["models[1].clf", "models.1.clf", "models.1['clf']", "a.b", "7"])
def test_entries(loader: ModuleType, tmp_path: Path, entry: str) -> None:
    """A key with dots, a number, a path by dots or brackets: what the bundle has under it."""
    bundle = {"models": [None, {"clf": "found"}], "a.b": "found", 7: "found"}
    (tmp_path / "m").write_bytes(pickle.dumps(bundle))
    found = load(loader, tmp_path / "m", {"entry": entry}).estimator
    assert found == "found"
    with pytest.raises((KeyError, ValueError, AttributeError)):
        load(loader, tmp_path / "m", {"entry": "nothing"})


def test_several_outputs_of_one_method(loader: ModuleType, tmp_path: Path) -> None:
    """predict_proba of a multi-output forest: one output each, or one array of lists when only one is declared."""
    y = np.random.default_rng(1).integers(0, 2, (40, 2))
    y[:, 1] += np.arange(40) % 2
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    wanted = forest.predict_proba(X)
    inputs = {"input": ("FP64", 3)}
    named = answer(loader, tmp_path, forest, signature("predict_proba", "matrix", inputs, "a", "b"), {"input": X})
    assert [named["a"].tolist(), named["b"].tolist()] == [one.tolist() for one in wanted]
    (ragged,) = answer(loader, tmp_path, forest, signature("predict_proba", "matrix", inputs), {"input": X}).values()
    assert ragged[2].tolist() == [wanted[0][2].tolist(), wanted[1][2].tolist()]
    even = RandomForestClassifier(5, random_state=0).fit(X, y > 0)
    (stacked,) = answer(loader, tmp_path, even, signature("predict_proba", "matrix", inputs), {"input": X}).values()
    assert stacked.shape == (40, 2, 2)


def test_sparse_and_frame_answers(loader: ModuleType, tmp_path: Path) -> None:
    """Sparse matrices and DataFrames come back as arrays."""
    table = np.array([["a", "x"], ["b", "y"], ["a", "y"]], dtype=object)
    encoder = OneHotEncoder().fit(table)
    asked = signature("transform", "columns", {"x0": ("BYTES", 0), "x1": ("BYTES", 0)}, columns=("x0", "x1"))
    (got,) = answer(loader, tmp_path, encoder, asked, {"x0": table[:, 0], "x1": table[:, 1]}).values()
    assert got.tolist() == encoder.transform(table).toarray().tolist()
    frame = pd.DataFrame(X, columns=["p", "q", "r"])
    scaler = StandardScaler().set_output(transform="pandas").fit(frame)
    asked = signature("transform", "matrix", {"input": ("FP64", 3)}, columns=("p", "q", "r"))
    (got,) = answer(loader, tmp_path, scaler, asked, {"input": X}).values()
    assert type(got) is np.ndarray
    assert got.tolist() == scaler.transform(frame).to_numpy().tolist()


@pytest.mark.parametrize("last", [LinearRegression(), StandardScaler(), "passthrough"])
def test_a_pipeline_of_pipelines_and_steps_that_pass_through(loader: ModuleType, tmp_path: Path, last: Any) -> None:
    """Its own values, to the last bit, whatever its steps are."""
    inner = make_pipeline(StandardScaler(with_mean=False), "passthrough")
    pipeline = make_pipeline(StandardScaler(), "passthrough", inner, last).fit(X, X[:, 1])
    method = "predict" if hasattr(pipeline, "predict") else "transform"
    (got,) = answer(
        loader, tmp_path, pipeline, signature(method, "matrix", {"input": ("FP64", 3)}), {"input": X}
    ).values()
    assert got.tolist() == getattr(pipeline, method)(X).tolist()


def test_a_method_of_one_pipeline_alone_is_its_own(loader: ModuleType, tmp_path: Path) -> None:
    """What somebody hung on the instance is called, not what the class would do."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, X[:, 0] > 0)
    pipeline.predict = functools.partial(np.sum, axis=1)
    (got,) = answer(
        loader, tmp_path, pipeline, signature("predict", "matrix", {"input": ("FP64", 3)}), {"input": X}
    ).values()
    assert got.tolist() == X.sum(axis=1).tolist()


def test_names_between_the_steps_are_kept(loader: ModuleType, tmp_path: Path) -> None:
    """A pipeline whose steps hand DataFrames on gets one, although its input is a matrix; nothing warns."""
    frame = pd.DataFrame(X, columns=["p", "q", "r"])
    pipeline = make_pipeline(StandardScaler(), FunctionTransformer(), LinearRegression()).set_output(transform="pandas")
    pipeline.fit(frame, X[:, 1])
    asked = signature("predict", "matrix", {"input": ("FP64", 3)}, columns=("p", "q", "r"))
    (got,) = answer(loader, tmp_path, pipeline, asked, {"input": X}).values()
    assert got.tolist() == pipeline.predict(frame).tolist()


def test_a_named_matrix_warns_of_nothing(loader: ModuleType, tmp_path: Path) -> None:
    """An array for a model that saw names gives the same values as the table would."""
    frame = pd.DataFrame(X, columns=["p", "q", "r"])
    model = LogisticRegression().fit(frame, X[:, 0] > 0)
    asked = signature("predict_proba", "matrix", {"input": ("FP64", 3)}, columns=("p", "q", "r"))
    (got,) = answer(loader, tmp_path, model, asked, {"input": X}).values()  # a warning would be an error here
    np.testing.assert_allclose(got, model.predict_proba(frame), rtol=1e-12)


def test_columns_without_names_are_an_array(loader: ModuleType, tmp_path: Path) -> None:
    """A ColumnTransformer that was trained on an object array gets one: numbers and texts side by side."""
    table = np.array([[1.5, "a"], [2.5, "b"], [0.5, "a"]], dtype=object)
    columns = ColumnTransformer([("n", StandardScaler(), [0]), ("c", OneHotEncoder(), [1])])
    model = make_pipeline(columns, LinearRegression()).fit(table, [1, 2, 3])
    asked = signature("predict", "columns", {"x0": ("FP64", 0), "x1": ("BYTES", 0)}, columns=("x0", "x1"))
    inputs = {"x0": table[:, 0].astype(float), "x1": table[:, 1]}
    (got,) = answer(loader, tmp_path, model, asked, inputs).values()
    np.testing.assert_allclose(got, [1, 2, 3])


@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_gap_is_what_the_imputer_was_trained_with(loader: ModuleType, tmp_path: Path, missing: Any) -> None:
    """None or NaN: a missing text arrives as the model's own mark for it."""
    table = np.array([["a"], ["a"], ["b"], [missing]], dtype=object)
    model = make_pipeline(
        SimpleImputer(missing_values=missing, strategy="most_frequent"), OneHotEncoder(sparse_output=False)
    )
    model.fit(table)
    asked = signature("transform", "columns", {"x0": ("BYTES", 0)}, columns=("x0",))
    (got,) = answer(loader, tmp_path, model, asked, {"x0": np.array(["b", None], dtype=object)}).values()
    assert got.tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_labels(loader: ModuleType, tmp_path: Path) -> None:
    """A LabelEncoder takes its one tensor as it is; an unknown label is the client's fault."""
    asked = signature("transform", "tensors", {"label": ("BYTES", 0)})
    encoder = LabelEncoder().fit(["x", "y"])
    (got,) = answer(loader, tmp_path, encoder, asked, {"label": np.array(["y", "x"], dtype=object)}).values()
    assert got.tolist() == [1, 0]
    with pytest.raises(loader.InputError, match="unseen"):
        answer(loader, tmp_path, encoder, asked, {"label": np.array(["z"], dtype=object)})


@pytest.mark.parametrize("unit", ["D", "s", "us", "ns"])
def test_labels_that_are_dates(loader: ModuleType, tmp_path: Path, unit: str) -> None:
    """They are answered as ISO 8601 texts, and not as numbers of nanoseconds; the card lists the same texts."""
    times = {
        "D": ["2024-01-31", "2024-02-01", "1969-12-31", "2024-02-02"],
        "s": ["2024-01-31T00:00:00", "2024-02-01T12:00:00", "1969-12-31T23:59:59", "2024-02-01T12:00:01"],
        "us": ["2024-01-31T00:00:00", "2024-02-01T12:00:00", "1969-12-31T23:59:59.500000", "2024-02-01T12:00:01"],
        "ns": ["2024-01-31T00:00:00", "2024-02-01T12:00:00", "1969-12-31T23:59:59.000000001", "2024-02-01T12:00:01"],
    }
    texts = times[unit]
    model = KNeighborsClassifier(1).fit(X[:4], np.array(texts, dtype=f"M8[{unit}]"))
    asked = signature("predict", "matrix", {"input": ("FP64", 3)})
    (got,) = answer(loader, tmp_path, model, asked, {"input": X[:4]}).values()
    assert got.tolist() == texts
    told = inspected(model, tmp_path).signatures[0]
    assert [spec.dtype for spec in told.outputs] == ["BYTES"]
    assert told.classes == tuple(sorted(texts))


def test_a_models_own_fault_is_not_the_clients(loader: ModuleType, tmp_path: Path) -> None:
    """A ValueError that no value of the request explains stays what it is."""
    asked = signature("predict", "matrix", {"input": ("FP64", 2)})
    with pytest.raises(ValueError, match="features") as caught:
        answer(loader, tmp_path, LinearRegression().fit(X, X[:, 0]), asked, {"input": X[:, :2]})
    assert not isinstance(caught.value, loader.InputError)
