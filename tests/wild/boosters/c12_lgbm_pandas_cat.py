"""LightGBM#5244, kserve#2208, MLServer#631: LGBMClassifier fitted on pandas categories (text, whole numbers, ordered), pickled."""

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(6)
n = 600
X = pd.DataFrame(
    {
        "region": rng.choice(["north", "south", "east"], n),
        "grade": rng.integers(1, 5, n),
        "amount": rng.normal(size=n),
        "member": rng.random(n) < 0.5,
    }
)
y = ((X.region == "south") * 1.5 + (X.grade == 3) * 1.2 + X.amount * 0.3 + X.member > 1.3).map(
    {True: "yes", False: "no"}
)
X["region"] = X.region.astype("category")
X["grade"] = X.grade.astype("category")
m = lgb.LGBMClassifier(n_estimators=20, verbose=-1, min_child_samples=5).fit(X, y)
joblib.dump(m, "lgbm.pkl")
T = pd.DataFrame(
    {
        "region": ["south", "west", None, "north"],
        "grade": [3, 1, 2, 4],
        "amount": [0.1, 0.2, np.nan, -1],
        "member": [True, False, True, False],
    }
)
records = rows(T)
C = T.assign(
    region=pd.Categorical(T.region, categories=X.region.cat.categories),
    grade=pd.Categorical(T.grade, categories=X.grade.cat.categories),
)
ask("labels, an unseen and a missing category", {"instances": records}, m.predict(C))
ask("proba", {"instances": records}, m.predict_proba(C), method="predict_proba")
as_numbers = [{**r, "member": int(r["member"])} for r in records]
ask("numbers for booleans", {"instances": as_numbers}, m.predict_proba(C), method="predict_proba")
ask("one row", {"instances": records[:1]}, m.predict(C)[:1])
serve("lgbm.pkl")
