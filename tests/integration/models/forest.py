"""Trains two classifiers and writes them with questions and the answers given here: forest.py FOLDER."""

import json
import pickle
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FOLDER = Path(sys.argv[1])


def write(name, model, rows, instances):
    """What the model says of `rows`, beside the same rows as JSON."""
    values = {"predict": model.predict(rows).tolist(), "predict_proba": model.predict_proba(rows).tolist()}
    (FOLDER / f"{name}.json").write_text(json.dumps({"instances": instances, **values}))


table, target = make_classification(n_samples=400, n_features=12, n_informative=6, n_classes=3, random_state=3)
forest = RandomForestClassifier(n_estimators=40, random_state=0).fit(table[:300], target[:300])
joblib.dump(forest, FOLDER / "forest.joblib", compress=("zlib", 3))
write("forest", forest, table[300:], table[300:].tolist())

rng = np.random.default_rng(5)
people = pd.DataFrame(
    {
        "age": rng.integers(18, 90, 400),
        "work": rng.choice(["private", "state", "none", 'süß & "quoted"'], 400),
        "hours": rng.normal(38, 9, 400).round(2),
    }
)
rich = np.where(people["age"] * people["hours"] + (people["work"] == "state") * 900 > 2300, "yes", "no")
columns = ColumnTransformer(
    [("n", StandardScaler(), ["age", "hours"]), ("w", OneHotEncoder(handle_unknown="ignore"), ["work"])]
)
people_model = Pipeline([("columns", columns), ("model", LogisticRegression(max_iter=1000))]).fit(
    people[:300], rich[:300]
)
with (FOLDER / "people.pkl").open("wb") as file:
    pickle.dump(people_model, file, protocol=4)
write("people", people_model, people[300:], json.loads(people[300:].to_json(orient="records")))
