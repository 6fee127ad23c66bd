"""onnxruntime#9560 situation in sklearn: two text columns and a number."""

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tests.wild.case import ask, rows, serve

X = pd.DataFrame(
    {
        "subject": ["sale now", "meeting", "sale", "report", "win money", "lunch"],
        "body": ["buy cheap", "see agenda", "cheap cheap", "numbers inside", "cheap win", "see you"],
        "n_links": [5, 0, 7, 1, 9, 0],
    }
)
y = [1, 0, 1, 0, 1, 0]
m = make_pipeline(
    ColumnTransformer(
        [("s", TfidfVectorizer(), "subject"), ("b", CountVectorizer(), "body"), ("n", "passthrough", ["n_links"])]
    ),
    LogisticRegression(),
).fit(X, y)
joblib.dump(m, "spam.joblib")
T = pd.DataFrame({"subject": ["sale", "hello"], "body": ["cheap", "agenda"], "n_links": [4, 0]})
ask("rows", {"instances": rows(T)}, m.predict(T))
ask("proba", {"instances": rows(T)}, m.predict_proba(T), method="predict_proba")
serve("spam.joblib")
