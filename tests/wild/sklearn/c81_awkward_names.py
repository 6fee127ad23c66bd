"""Columns whose names are words of the wire: instances, features, columns, inputs, data, predictions, method."""

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(34)
X = pd.DataFrame(rng.normal(size=(50, 4)), columns=["instances", "features", "columns", "data"])
m = LinearRegression().fit(X, X @ [1, 2, 3, 4])
joblib.dump(m, "words.joblib")
T = X.head(2)
ask("records", {"instances": rows(T)}, m.predict(T))
ask("a record as features", {"features": rows(T)[0]}, m.predict(T)[:1])
ask("columns", {"columns": {c: T[c].tolist() for c in T}}, m.predict(T))
serve("words.joblib")
