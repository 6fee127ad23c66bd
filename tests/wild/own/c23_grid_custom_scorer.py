"""sklearn#10054 situation when deployed: a GridSearchCV whose scorer is a function of the notebook; predict never needs it."""

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV

from tests.wild.case import ask, own_code, rows, serve

CODE = """
import numpy as np

def rmsle(y_true, y_pred):
    return np.sqrt(np.mean((np.log1p(y_true) - np.log1p(np.clip(y_pred, 0, None))) ** 2))
"""
own = own_code("train.py", CODE)
rng = np.random.default_rng(16)
X = pd.DataFrame(rng.normal(size=(150, 3)), columns=["bed", "bath", "sqft"])
y = np.exp(X.sqft)
m = GridSearchCV(
    GradientBoostingRegressor(n_estimators=10, random_state=0),
    {"max_depth": [2, 3]},
    scoring=make_scorer(own.rmsle, greater_is_better=False),
    cv=3,
).fit(X, y)
joblib.dump(m, "house.joblib")
T = X.head(3)
ask("rows", {"instances": rows(T)}, m.predict(T))
serve("house.joblib", after="command")
