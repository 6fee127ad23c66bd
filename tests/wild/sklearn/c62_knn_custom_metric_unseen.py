"""Haversine neighbours in a pipeline of a FunctionTransformer(np.radians); labels are texts."""

import joblib
import numpy as np
import pandas as pd
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(44)
X = pd.DataFrame({"lat": rng.uniform(47, 54, 100), "lon": rng.uniform(6, 15, 100)})
m = make_pipeline(
    FunctionTransformer(np.radians), KNeighborsClassifier(3, metric="haversine", algorithm="ball_tree")
).fit(X, np.where(X.lat > 51, "north", "south"))
joblib.dump(m, "geo.joblib")
ask("rows", {"instances": rows(X.head(3))}, m.predict(X.head(3)))
ask("proba", {"instances": rows(X.head(3))}, m.predict_proba(X.head(3)), method="predict_proba")
serve("geo.joblib")
