"""Trains churn with a transformer of its own, as a notebook does: all at the top level, saved from `__main__`."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).parent
PLANS = {"b": "basic", "basic": "basic", "f": "family", "family": "family", "pro": "pro", "p": "pro"}


def plan_of(word: object) -> str:
    """The plan that a hand-written word means."""
    return PLANS.get(str(word).strip().lower(), "other")


class Cleaner(BaseEstimator, TransformerMixin):
    """Makes one word of each plan's many, and fills in what is missing."""

    def fit(self, table: pd.DataFrame, _target: object = None) -> "Cleaner":
        """Learn the medians."""
        self.medians_ = table[["months", "monthly"]].median()
        return self

    def transform(self, table: pd.DataFrame) -> pd.DataFrame:
        """A clean copy."""
        clean = table.assign(plan=table["plan"].map(plan_of))
        clean[["months", "monthly"]] = clean[["months", "monthly"]].fillna(self.medians_)
        return clean


chance = np.random.default_rng(0)
customers = pd.DataFrame(
    {
        "months": chance.integers(1, 72, 500).astype(float),
        "monthly": chance.normal(60, 25, 500).round(2),
        "plan": chance.choice(["basic", " B", "Family", "f", "PRO", "?"], 500),
    }
)
leaves = chance.random(500) < 1 / (1 + np.exp(customers["months"] / 12 - customers["monthly"] / 30))
customers.loc[chance.random(500) < 0.1, "monthly"] = np.nan

columns = ColumnTransformer(
    [
        ("numbers", StandardScaler(), ["months", "monthly"]),
        ("plan", OneHotEncoder(handle_unknown="ignore"), ["plan"]),
    ]
)
model = Pipeline([("clean", Cleaner()), ("columns", columns), ("model", LogisticRegression())])
model.fit(customers, np.where(leaves, "leaves", "stays"))

joblib.dump(model, HERE / "model.joblib")
asked = customers.head(20)
asked.to_csv(HERE / "rows.csv", index=False)  # the file does not tell its columns: the first step is a class of its own
records = json.loads(asked.to_json(orient="records"))
(HERE / "request.json").write_text(json.dumps({"instances": records}, indent=1) + "\n")
(HERE / "expected.json").write_text(json.dumps({"predictions": model.predict(asked).tolist()}, indent=1) + "\n")
print("wrote model.joblib, rows.csv, request.json, expected.json")
