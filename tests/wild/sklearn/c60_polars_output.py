"""A pipeline with set_output(transform='polars'), fitted on a polars frame."""

import joblib
import numpy as np
import polars as pl
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.wild.case import ask, serve

rng = np.random.default_rng(32)
n = 200
X = pl.DataFrame({"fuel": rng.choice(["gas", "diesel"], n), "km": rng.normal(50, 9, n)})
y = (X["fuel"] == "gas").to_numpy() * 3.0 + X["km"].to_numpy()
m = (
    make_pipeline(
        make_column_transformer((OneHotEncoder(sparse_output=False), ["fuel"]), (StandardScaler(), ["km"])),
        LinearRegression(),
    )
    .set_output(transform="polars")
    .fit(X, y)
)
joblib.dump(m, "polars.joblib")
T = pl.DataFrame({"fuel": ["gas", "diesel"], "km": [40.0, 60.0]})
ask("rows", {"instances": T.to_dicts()}, m.predict(T))
serve("polars.joblib")
