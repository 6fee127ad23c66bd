"""y was a column (df[['price']]), so predict answers [[v], [v]]."""

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(43)
X = pd.DataFrame(rng.normal(size=(50, 2)), columns=["a", "b"])
m = make_pipeline(StandardScaler(), LinearRegression()).fit(X, pd.DataFrame({"price": X.a * 2 + X.b}))
joblib.dump(m, "col_y.joblib")
ask("rows", {"instances": rows(X.head(3))}, m.predict(X.head(3)))
serve("col_y.joblib")
