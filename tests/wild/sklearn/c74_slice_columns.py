"""ColumnTransformer with slices of names and a boolean mask, two columns dropped: clients do not send those."""

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(57)
X = pd.DataFrame(rng.normal(size=(100, 5)), columns=["row_id", "a", "b", "c", "comment"])
X["comment"] = "x"
m = make_pipeline(
    ColumnTransformer([("s", StandardScaler(), slice("a", "b")), ("m", MinMaxScaler(), ["c"])], remainder="drop"),
    LinearRegression(),
).fit(X, X.a + X.b * 2)
joblib.dump(m, "slices.joblib")
T = X.head(3)
ask("without the dropped columns", {"instances": rows(T[["a", "b", "c"]])}, m.predict(T))
ask("with all columns", {"instances": rows(T)}, m.predict(T))
serve("slices.joblib")
