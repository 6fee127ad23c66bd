"""category_encoders' TargetEncoder before a regressor."""

import joblib
import numpy as np
import pandas as pd
from category_encoders import TargetEncoder
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(14)
X = pd.DataFrame({"city": rng.choice(["x", "y", "z"], 200), "n": rng.normal(size=200)})
y = (X.city == "x") * 3 + X.n
m = make_pipeline(TargetEncoder(cols=["city"]), Ridge()).fit(X, y)
joblib.dump(m, "target_enc.joblib")
T = pd.DataFrame({"city": ["x", "new", "z"], "n": [0.1, 0.2, 0.3]})
ask("rows", {"instances": rows(T)}, m.predict(T))
serve("target_enc.joblib")
