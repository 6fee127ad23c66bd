"""LGBMRegressor on pandas categories of floats, booleans and whole numbers, pickled and as a text file."""

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd

from tests.wild.case import ask, serve

rng = np.random.default_rng(58)
n = 500
X = pd.DataFrame(
    {
        "f": rng.choice([0.5, 1.5, 2.5], n),
        "b": rng.random(n) < 0.5,
        "i": rng.choice([3, 7, 11], n),
        "x": rng.normal(size=n),
    }
)
y = (X.f == 1.5) * 2 + X.b * 1.0 + (X.i == 7) * 3
X = X.assign(f=X.f.astype("category"), b=X.b.astype("category"), i=X.i.astype("category"))
m = lgb.LGBMRegressor(n_estimators=30, verbose=-1, min_child_samples=5).fit(X, y)
joblib.dump(m, "cats.joblib")
m.booster_.save_model("cats.txt")
records = [
    {"f": 1.5, "b": True, "i": 7, "x": 0.1},
    {"f": 0.5, "b": False, "i": 3, "x": 0.0},
    {"f": 2.5, "b": True, "i": 11, "x": -1.0},
]
T = pd.DataFrame(records)
T = T.assign(**{c: pd.Categorical(T[c], categories=X[c].cat.categories) for c in "fbi"})
ask("rows", {"instances": records}, m.predict(T))
ask(
    "numbers for the booleans, as the card asks",
    {"instances": [{**r, "b": int(r["b"])} for r in records]},
    m.predict(T),
)
serve("cats.joblib", "cats.txt")
