"""Small real models and their signatures, as inspect would tell them."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlpack.artifacts.model import Signature, TensorSpec

IRIS_COLUMNS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")


def matrix(method: str, width: int, output: TensorSpec, **more: Any) -> Signature:
    """A signature over one FP64 matrix."""
    spec = TensorSpec(name="input", dtype="FP64", shape=(-1, width))
    return Signature(name=method, method=method, inputs=(spec,), outputs=(output,), layout="matrix", **more)


def out(name: str, dtype: str, *shape: int) -> TensorSpec:
    """An output."""
    return TensorSpec(name=name, dtype=dtype, shape=(-1, *shape))


def iris() -> tuple[Any, tuple[Signature, ...], pd.DataFrame]:
    """A classifier trained on named columns; its rows."""
    data = load_iris(as_frame=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(data.data, data.target)
    common: dict[str, Any] = {"classes": (0, 1, 2), "columns": IRIS_COLUMNS}
    signatures = (
        matrix("predict", 4, out("predict", "INT64"), **common),
        matrix("predict_proba", 4, out("predict_proba", "FP64", 3), **common),
    )
    return model, signatures, data.data


def houses() -> tuple[Any, tuple[Signature, ...], pd.DataFrame]:
    """A regressor over mixed named columns, with gaps in both kinds."""
    rng = np.random.default_rng(7)
    size = 200
    frame = pd.DataFrame({
        "area": rng.uniform(30, 200, size),
        "rooms": rng.integers(1, 7, size),
        "city": pd.Series(rng.choice(["Oslo", "Bergen", "Å"], size)),
        "garden": rng.choice([True, False], size),
    })  # fmt: skip
    price = frame["area"] * 3 + frame["rooms"] * 10 + (frame["city"] == "Oslo") * 50 + frame["garden"] * 5
    frame.loc[::17, "area"] = np.nan
    frame.loc[::19, "city"] = None
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="error"))
    columns = ColumnTransformer([
        ("n", make_pipeline(SimpleImputer(), StandardScaler()), ["area", "rooms"]),
        ("c", texts, ["city"]),
        ("b", "passthrough", ["garden"]),
    ])  # fmt: skip
    model = make_pipeline(columns, LinearRegression()).fit(frame, price)
    dtypes = {"area": "FP64", "rooms": "INT64", "city": "BYTES", "garden": "BOOL"}
    signature = Signature(
        name="predict",
        method="predict",
        inputs=tuple(TensorSpec(name=name, dtype=dtype, shape=(-1,)) for name, dtype in dtypes.items()),
        outputs=(out("predict", "FP64"),),
        layout="columns",
        columns=tuple(dtypes),
        categories={"city": ("Bergen", "Oslo", "Å")},
    )
    return model, (signature,), frame


def spam() -> tuple[Any, tuple[Signature, ...], list[str]]:
    """A text classifier with string labels."""
    texts = ["win money now", "cheap money win", "lunch at noon", "see you at lunch"] * 5
    labels = ["spam", "spam", "ham", "ham"] * 5
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
    spec = TensorSpec(name="text", dtype="BYTES", shape=(-1,))
    signature = Signature(
        name="predict",
        method="predict",
        inputs=(spec,),
        outputs=(out("predict", "BYTES"),),
        layout="tensors",
        classes=("ham", "spam"),
    )
    return model, (signature,), texts


def pickled(model: Any) -> bytes:
    """The model's pickle."""
    return pickle.dumps(model)
