"""Trains a small model of each kind and writes it with a question and the answers given here: kinds.py FOLDER."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs, make_classification, make_regression
from sklearn.ensemble import GradientBoostingRegressor, IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.tree import DecisionTreeClassifier

FOLDER = Path(sys.argv[1])
TEXTS = ["cheap pills now", "meeting at nine", "cheap watches", "lunch at noon", "win cash now", "see you at nine"]


def write(name, model, rows, methods, *, file=None):
    """The model (or the file that holds it), and what it says of the rows."""
    told = {method: np.asarray(getattr(model, method)(rows)).tolist() for method in methods}
    (FOLDER / f"{name}.pkl").write_bytes(pickle.dumps(model if file is None else file))
    (FOLDER / f"{name}.json").write_text(json.dumps({"rows": list(map(plain, rows)), **told}))


def plain(row):
    """A row as JSON has it."""
    return row if isinstance(row, str) else row.tolist()


table, target = make_classification(n_samples=120, n_features=5, random_state=1)
words = np.where(target == 1, "churns", "stays")
encoder = LabelEncoder().fit(words)
churn = RandomForestClassifier(n_estimators=10, random_state=0).fit(table, encoder.transform(words))
held = {"model": churn, "encoder": encoder, "threshold": 0.35, "columns": ["a", "b", "c", "d", "e"]}
write("bundle", churn, table[:20], ["predict", "predict_proba"], file=held)

spam = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, ["spam", "ham"] * 3)
write("text", spam, [*TEXTS, "", "entirely unheard of", "süßes für alle ☃"], ["predict", "predict_proba"])

numbers, price = make_regression(n_samples=120, n_features=4, noise=3, random_state=2)
write("regressor", GradientBoostingRegressor(random_state=0).fit(numbers, price), numbers[:20], ["predict"])

blobs, _ = make_blobs(n_samples=90, centers=3, random_state=4)
write("kmeans", KMeans(n_clusters=3, n_init=2, random_state=0).fit(blobs), blobs[:20], ["predict", "transform"])

outliers = IsolationForest(n_estimators=20, random_state=0).fit(blobs)
write(
    "isolation",
    outliers,
    np.vstack([blobs[:18], [[99, -99], [0, 1e6]]]),
    ["predict", "decision_function", "score_samples"],
)

two = LinearRegression().fit(numbers, np.column_stack([price, -price]))
write("two-outputs", two, numbers[:20], ["predict"])

flags = DecisionTreeClassifier(max_depth=3, random_state=0).fit(table, target == 1)
write("flags", flags, table[:20], ["predict", "predict_proba"])

grades = DecisionTreeClassifier(max_depth=3, random_state=0).fit(table, np.where(target == 1, 1.0, 2.0))
write("grades", grades, table[:20], ["predict", "predict_proba"])
