"""sklearn#7726, MLServer: a text pipeline of one column."""

import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tests.wild.case import ask, serve

texts = [
    "good stuff indeed",
    "very good",
    "bad thing",
    "very bad indeed",
    "awful",
    "lovely good day",
    "grüße und café",
    "schlecht bad",
]
y = ["pos", "pos", "neg", "neg", "neg", "pos", "pos", "neg"]
m = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, y)
joblib.dump(m, "sentiment.joblib")
T = ["good", "bad bad", "", "café und grüße"]
ask("texts", {"instances": T}, m.predict(T))
ask("proba", {"instances": T}, m.predict_proba(T), method="predict_proba")
ask("a list in a row", {"instances": [[t] for t in T]}, m.predict(T))
ask("features", {"features": "very good"}, m.predict(["very good"]))
serve("sentiment.joblib")
