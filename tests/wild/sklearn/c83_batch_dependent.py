"""FunctionTransformer(sklearn.preprocessing.scale): each answer depends on the rows of its own call, so calls must not be joined."""

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, scale

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(62)
X = pd.DataFrame(rng.normal(5, 2, size=(60, 2)), columns=["a", "b"])
m = make_pipeline(FunctionTransformer(scale), LinearRegression()).fit(X, X.a)
joblib.dump(m, "scaled.joblib")
ask("three rows", {"instances": rows(X.head(3))}, m.predict(X.head(3)))
serve("scaled.joblib")
