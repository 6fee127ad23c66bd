"""XGBRegressor with categories of whole numbers that are not 0..n-1 (shop ids), pickled and saved as JSON."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost as xgb

from tests.wild.case import ask, serve

rng = np.random.default_rng(59)
n = 500
X = pd.DataFrame({"shop": rng.choice([101, 205, 999], n), "x": rng.normal(size=n)})
y = (X.shop == 205) * 5.0 + (X.shop == 999) * 1.0 + X.x * 0.1
X["shop"] = X.shop.astype("category")
m = xgb.XGBRegressor(n_estimators=30, enable_categorical=True).fit(X, y)
Path("shops.pkl").write_bytes(pickle.dumps(m))
m.save_model("shops.json")
records = [{"shop": 101, "x": 0.1}, {"shop": 205, "x": 0.1}, {"shop": 999, "x": 0.1}]
T = pd.DataFrame(records)
T["shop"] = pd.Categorical(T.shop, categories=X.shop.cat.categories)
ask("rows", {"instances": records}, m.predict(T))
ask("each alone", {"instances": records[1:2]}, m.predict(T)[1:2])
ask("unknown shop", {"instances": [{"shop": 7, "x": 0.1}]}, status=400)
serve("shops.pkl", "shops.json")
