"""mlflow#25593: trained on Int64, boolean and string columns with pd.NA."""

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from tests.wild.case import ask, serve

rng = np.random.default_rng(31)
n = 300
X = pd.DataFrame(
    {
        "visits": pd.array(rng.integers(0, 9, n), "Int64"),
        "vip": pd.array(rng.random(n) < 0.4, "boolean"),
        "tier": pd.array(rng.choice(["a", "b"], n), "string"),
    }
)
X.loc[::7, "visits"] = pd.NA
y = ((X.visits.fillna(0) > 4) | (X.tier == "a")).astype(int).to_numpy()
m = make_pipeline(
    make_column_transformer(
        (SimpleImputer(strategy="median"), ["visits"]),
        ("passthrough", ["vip"]),
        (OneHotEncoder(handle_unknown="ignore"), ["tier"]),
    ),
    LogisticRegression(),
).fit(X, y)
joblib.dump(m, "nullable.joblib")
T = X.head(9)
records = [
    {"visits": None if v is pd.NA else int(v), "vip": bool(b), "tier": str(t)}
    for v, b, t in zip(T.visits, T.vip, T.tier, strict=True)
]
ask("rows", {"instances": records}, m.predict(T))
ask("proba", {"instances": records}, m.predict_proba(T), method="predict_proba")
serve("nullable.joblib")
