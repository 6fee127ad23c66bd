"""CatBoost (the base class) with Logloss: its predict answers raw values."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from catboost import CatBoost, Pool

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(53)
X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"])
m = CatBoost(
    {"loss_function": "Logloss", "iterations": 20, "verbose": 0, "allow_writing_files": False, "random_seed": 0}
).fit(Pool(X, (X.a > 0).astype(int)))
Path("base.pkl").write_bytes(pickle.dumps(m))
ask("raw values", {"instances": rows(X.head(3))}, m.predict(X.head(3)))
serve("base.pkl")
