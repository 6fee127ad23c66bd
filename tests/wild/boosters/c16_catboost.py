"""catboost#482, #635: categories of text and whole numbers, NaN as the text 'nan', a text column; .cbm and pickle."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from catboost import CatBoostClassifier

from tests.wild.case import ask, serve

rng = np.random.default_rng(10)
n = 400
X = pd.DataFrame(
    {
        "city": rng.choice(["Ulm", "Köln", "nan"], n),
        "plz": rng.choice([89073, 50667], n),
        "note": rng.choice(["late again", "all fine", "very late", "fine"], n),
        "age": rng.normal(40, 9, n),
    }
)
y = ((X.city == "Köln") + X.note.str.contains("late") + (X.plz == 89073) * 0.5 + rng.normal(0, 0.2, n) > 1.2).map(
    {True: "churn", False: "keep"}
)
m = CatBoostClassifier(
    iterations=30,
    depth=4,
    verbose=0,
    cat_features=["city", "plz"],
    text_features=["note"],
    allow_writing_files=False,
    random_seed=0,
).fit(X, y)
Path("cat.pkl").write_bytes(pickle.dumps(m))
m.save_model("cat.cbm")
T = pd.DataFrame(
    {
        "city": ["Köln", "nan", "Bonn"],
        "plz": [50667, 89073, 12345],
        "note": ["late", "fine", ""],
        "age": [40.0, np.nan, 20.0],
    }
)
records = [
    {"city": "Köln", "plz": 50667, "note": "late", "age": 40.0},
    {"city": "nan", "plz": 89073, "note": "fine", "age": None},
    {"city": "Bonn", "plz": 12345, "note": "", "age": 20.0},
]
S = [{**r, "plz": str(r["plz"])} for r in records]
ask("whole numbers as texts", {"instances": S}, np.asarray(m.predict(T)).ravel())
ask("proba of these", {"instances": S}, m.predict_proba(T), method="predict_proba")
ask("labels", {"instances": records}, m.predict(T).ravel() if m.predict(T).ndim > 1 else m.predict(T))
ask("proba", {"instances": records}, m.predict_proba(T), method="predict_proba")
ask(
    "a category without a value, which CatBoost refuses too",
    {"instances": [{"city": None, "plz": "89073", "note": "fine", "age": None}]},
    status=400,
)
serve("cat.pkl", "cat.cbm")
