"""kserve#3304: a LightGBM Booster asked with some of its columns only; the others are missing values."""

import lightgbm as lgb
import numpy as np
import pandas as pd

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(26)
X = pd.DataFrame(rng.normal(size=(400, 6)), columns=[f"feat_{i}" for i in range(6)])
b = lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(X, (X.feat_0 + X.feat_3 > 0).astype(int)), 10)
b.save_model("sparse_req.txt")
part = {"feat_0": 1.5, "feat_3": -0.2}
full = pd.DataFrame([part]).reindex(columns=X.columns)
ask("absent columns are refused with their names", {"instances": [part]}, status=400)
ask("null columns", {"instances": rows(full)}, b.predict(full))
serve("sparse_req.txt")
