"""ColumnTransformer by positions on an object array of numbers and texts (no names anywhere)."""

import joblib
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.wild.case import ask, serve

rng = np.random.default_rng(29)
X = np.empty((300, 3), object)
X[:, 0] = rng.normal(40, 9, 300)
X[:, 1] = rng.choice(["red", "blue"], 300)
X[:, 2] = rng.integers(0, 5, 300)
y = ((X[:, 1] == "red") & (X[:, 0] > 38)).astype(int)
m = make_pipeline(
    ColumnTransformer([("n", StandardScaler(), [0, 2]), ("c", OneHotEncoder(), [1])]), LogisticRegression()
).fit(X, y)
joblib.dump(m, "positions.joblib")
T = X[:4]
ask("lists", {"instances": T.tolist()}, m.predict(T))
ask("proba", {"instances": T.tolist()}, m.predict_proba(T), method="predict_proba")
serve("positions.joblib")
