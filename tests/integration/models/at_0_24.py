"""Trains on Python 3.9 with scikit-learn 0.24.2: writes people.pkl, and people.json with its rows and its answers."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

out = Path(sys.argv[1])
rng = np.random.RandomState(0)
frame = pd.DataFrame(
    {"area": rng.uniform(30, 200, 300), "rooms": rng.randint(1, 7, 300), "city": rng.choice(["Oslo", "Bergen"], 300)}
)
frame.loc[::17, "area"] = np.nan
labels = np.where(frame["rooms"] * 20 + frame["area"].fillna(100) > 170, "large", "small")
columns = ColumnTransformer(
    [("n", make_pipeline(SimpleImputer(), StandardScaler()), ["area", "rooms"]), ("c", OneHotEncoder(), ["city"])]
)
model = make_pipeline(columns, RandomForestClassifier(n_estimators=20, random_state=0)).fit(frame, labels)
out.joinpath("people.pkl").write_bytes(pickle.dumps(model))
rows = frame.head(60)
out.joinpath("people.json").write_text(
    json.dumps(
        {
            "sklearn": sklearn.__version__,
            "instances": json.loads(rows.to_json(orient="records", double_precision=15)),
            "predict": model.predict(rows).tolist(),
            "predict_proba": model.predict_proba(rows).tolist(),
        }
    )
)
