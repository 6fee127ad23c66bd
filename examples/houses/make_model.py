"""Trains house prices on named columns of mixed types, and writes the question and the answer for its container."""

import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = Path(__file__).parent
NUMBERS = ["area_m2", "rooms", "age_years"]
WORDS = ["district", "heating"]


def make_houses(count: int) -> pd.DataFrame:
    """Houses with some areas and heatings unknown, as lists of houses have."""
    rng = np.random.default_rng(11)
    houses = pd.DataFrame(
        {
            "area_m2": rng.normal(95, 30, count).clip(20).round(1),
            "rooms": rng.integers(1, 8, count),
            "district": rng.choice(["centre", "harbour", "hills", "north"], count),
            "heating": rng.choice(["gas", "district", "heat pump"], count).astype(object),
            "age_years": rng.integers(0, 120, count),
            "garden": rng.random(count) < 0.4,
        }
    )
    houses.loc[rng.random(count) < 0.05, "area_m2"] = np.nan
    return houses


def price_of(houses: pd.DataFrame) -> pd.Series:
    """What they cost, in thousands."""
    base = houses["area_m2"].fillna(95) * 3.1 + houses["rooms"] * 9 - houses["age_years"] * 0.7
    return (
        base + houses["district"].map({"centre": 160, "harbour": 90, "hills": 60, "north": 0}) + houses["garden"] * 25
    )


houses = make_houses(600)
columns = ColumnTransformer(
    [
        ("numbers", Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())]), NUMBERS),
        ("words", OneHotEncoder(handle_unknown="ignore"), WORDS),
    ],
    remainder="passthrough",
)
model = Pipeline([("columns", columns), ("regressor", GradientBoostingRegressor(random_state=0))])
model.fit(houses.head(500), price_of(houses.head(500)))

rows = houses.tail(100).head(20)
records = json.loads(rows.to_json(orient="records"))
joblib.dump(model, HERE / "model.joblib", compress=3)
(HERE / "request.json").write_text(json.dumps({"instances": records}, indent=1) + "\n")
(HERE / "expected.json").write_text(json.dumps({"predictions": model.predict(rows).tolist()}, indent=1) + "\n")
print(
    f"R2 {model.score(houses.tail(100), price_of(houses.tail(100))):.3f}, wrote model.joblib, request.json, expected.json"
)
