"""A FunctionTransformer of a lambda, dumped with cloudpickle as the answers on the web advise."""

from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(27)
X = pd.DataFrame({"length": rng.uniform(1, 9, 100), "width": rng.uniform(1, 9, 100)})
m = make_pipeline(FunctionTransformer(lambda d: d.assign(area=d["length"] * d["width"])), LinearRegression()).fit(
    X, X.length * X.width
)
Path("area.pkl").write_bytes(cloudpickle.dumps(m))
T = pd.DataFrame({"length": [2.0, 3], "width": [4.0, 5]})
T.to_csv("rows.csv", index=False)
ask("rows", {"instances": rows(T)}, m.predict(T))
serve("area.pkl", after="command")
