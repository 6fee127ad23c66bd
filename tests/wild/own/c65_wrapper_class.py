"""An own class with predict() around a Pipeline and a threshold, dumped with joblib (a notebook's ChurnModel)."""

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.wild.case import ask, own_code, rows, serve

CODE = """
class ChurnModel:
    def __init__(self, pipe, threshold):
        self.pipe = pipe
        self.threshold = threshold

    def predict(self, df):
        p = self.pipe.predict_proba(df[["tenure", "fee"]])[:, 1]
        return ["leaves" if v > self.threshold else "stays" for v in p]
"""
own = own_code("churn_model.py", CODE, module="churn_model")
rng = np.random.default_rng(50)
X = pd.DataFrame({"tenure": rng.integers(1, 60, 200), "fee": rng.normal(50, 9, 200)})
pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, (X.tenure < 20).astype(int))
m = own.ChurnModel(pipe, 0.3)
joblib.dump(m, "wrapped.joblib")
T = X.head(4)
X.head(5).to_csv("rows.csv", index=False)
ask("rows", {"instances": rows(T)}, m.predict(T))
serve("wrapped.joblib", after="command")
