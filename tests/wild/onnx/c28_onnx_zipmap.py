"""onnxruntime_backend#94: skl2onnx of a classifier with ZipMap (sequence of maps), text labels, columns of mixed types."""

from pathlib import Path

import numpy as np
import pandas as pd
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.wild.case import ask, serve

rng = np.random.default_rng(21)
n = 300
X = pd.DataFrame(
    {"sex": rng.choice(["m", "f"], n), "kids": rng.integers(0, 4, n), "age": rng.normal(40, 9, n).astype(np.float32)}
)
y = np.where((X.sex == "f") & (X.kids > 1), "yes", "no")
m = make_pipeline(
    make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["sex"]), (StandardScaler(), ["kids", "age"])),
    LogisticRegression(),
).fit(X, y)
onx = to_onnx(
    m,
    initial_types=[
        ("sex", StringTensorType([None, 1])),
        ("kids", Int64TensorType([None, 1])),
        ("age", FloatTensorType([None, 1])),
    ],
)
Path("clf.onnx").write_bytes(onx.SerializeToString())
T = [{"sex": "f", "kids": 3, "age": 33.5}, {"sex": "x", "kids": 0, "age": 20.0}]
p = m.predict_proba(pd.DataFrame(T))
# float32 graph: compared within 1e-5 by rounding
ask(
    "labels and probabilities",
    {"instances": T},
    [
        {"output_label": label, "output_probability": q}
        for label, q in zip(m.predict(pd.DataFrame(T)), p.tolist(), strict=True)
    ],
)
serve("clf.onnx")
