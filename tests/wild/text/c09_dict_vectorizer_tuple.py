"""mlops course homework in many repositories: pickle.dump((DictVectorizer, LinearRegression))."""

import json
import pickle
from pathlib import Path

import numpy as np
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression

from tests.wild.case import ask, serve

rng = np.random.default_rng(4)
rows = [
    {"PU_DO": f"{a}_{b}", "trip_distance": float(d)}
    for a, b, d in zip(rng.integers(1, 5, 300), rng.integers(1, 5, 300), rng.gamma(2, 2, 300), strict=True)
]
y = [r["trip_distance"] * 3 + int(r["PU_DO"][0]) for r in rows]
dv = DictVectorizer()
lr = LinearRegression().fit(dv.fit_transform(rows), y)
Path("lin_reg.bin").write_bytes(pickle.dumps((dv, lr)))
T = [{"PU_DO": "1_2", "trip_distance": 3.5}, {"PU_DO": "9_9", "trip_distance": 1.0}, {"trip_distance": 2}]
want = lr.predict(dv.transform(T))
Path("rows.json").write_text(json.dumps(T))
ask("dicts", {"instances": T}, want)
serve("lin_reg.bin", after="init")
