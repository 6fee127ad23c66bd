"""The same as one Pipeline: rows are dictionaries with open keys."""

import pickle
from pathlib import Path

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tests.wild.case import ask, serve

rng = np.random.default_rng(4)
rows = [
    {"contract": str(c), "tenure": int(t)}
    for c, t in zip(rng.choice(["monthly", "yearly"], 300), rng.integers(1, 70, 300), strict=True)
]
y = [int(r["contract"] == "monthly" and r["tenure"] < 40) for r in rows]
m = make_pipeline(DictVectorizer(), LogisticRegression(max_iter=2000)).fit(rows, y)
Path("churn_dv.bin").write_bytes(pickle.dumps(m))
T = [{"contract": "monthly", "tenure": 3}, {"contract": "weekly", "tenure": 60}, {"tenure": 2}]
ask("dicts", {"instances": T}, m.predict(T))
ask("proba", {"instances": T}, m.predict_proba(T), method="predict_proba")
serve("churn_dv.bin")
