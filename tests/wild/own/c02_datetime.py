"""mlflow#6244: a datetime column that a FunctionTransformer takes apart."""

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.wild.case import ask, own_code, rows, serve

CODE = """
def calendar(frame):
    when = frame["when"]
    out = frame[[]].copy()
    out["month"] = when.dt.month
    out["weekday"] = when.dt.dayofweek
    out["hour"] = when.dt.hour
    return out
"""
own = own_code("train.py", CODE)
rng = np.random.default_rng(0)
X = pd.DataFrame(
    {
        "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 8000, 200), "h"),
        "people": rng.integers(1, 9, 200),
    }
)
y = X.when.dt.month * 2.0 + X.people + X.when.dt.hour * 0.1
m = make_pipeline(
    ColumnTransformer([("cal", FunctionTransformer(own.calendar), ["when"]), ("n", "passthrough", ["people"])]),
    Ridge(alpha=1e-6),
).fit(X, y)
joblib.dump(m, "demand.joblib")
X.head(10).to_csv("rows.csv", index=False)
T = pd.DataFrame({"when": pd.to_datetime(["2024-03-01 02:00:00", "2024-07-09 17:00:00"]), "people": [3, 5]})
records = rows(T.assign(when=[w.isoformat() for w in T.when]))
ask("iso dates", {"instances": records}, m.predict(T))
ask("one date", {"instances": records[:1]}, m.predict(T)[:1])
serve("demand.joblib", after="command")
