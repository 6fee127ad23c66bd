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


PAIR_LOADER = r"""
import numpy as np

WEIGHTS = np.array([[0.5, -1.0], [0.25, 2.0], [-0.125, 0.75]], dtype=np.float32)


def load(path, options, guard):
    return WEIGHTS


def predict(model, signature, inputs):
    ids, pixels = inputs["ids"], inputs["pixels"]
    assert ids.dtype == np.int64 and pixels.dtype == np.float32, (ids.dtype, pixels.dtype)
    scores = ids.astype(np.float32) @ model + pixels.sum(axis=(1, 2))[:, None]
    labels = np.where(scores[:, 0] > scores[:, 1], "l\u00e4ft", "right").astype(object)
    return {"scores": scores, "label": labels}
"""
PAIR = Signature(
    name="serving_default",
    method="serving_default",
    inputs=(
        TensorSpec(name="ids", dtype="INT64", shape=(-1, 3)),
        TensorSpec(name="pixels", dtype="FP32", shape=("batch", 2, 2)),
    ),
    outputs=(
        TensorSpec(name="scores", dtype="FP32", shape=(-1, 2)),
        TensorSpec(name="label", dtype="BYTES", shape=(-1,)),
    ),
    layout="tensors",
)


def pair_rows(count: int = 6) -> list[dict[str, Any]]:
    """Rows of the model of two tensors, whose values 32 bits hold exactly."""
    return [
        {"ids": [place, 2 * place - 3, 7], "pixels": [[0.5 * place, -1.25], [3.0, 0.125]]} for place in range(count)
    ]


def pair_answer(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the model of two tensors answers, computed without it."""
    weights = np.array([[0.5, -1.0], [0.25, 2.0], [-0.125, 0.75]])
    found = []
    for row in rows:
        scores = np.array(row["ids"]) @ weights + np.sum(row["pixels"])
        found.append({"scores": scores.tolist(), "label": "l\u00e4ft" if scores[0] > scores[1] else "right"})
    return found


def pickled(model: Any) -> bytes:
    """The model's pickle."""
    return pickle.dumps(model)
