"""Nulls and texts that the model cannot take: the client's fault, in the client's words; beside good rows of others."""

import joblib
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tests.wild.case import ask, serve

m = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["good a1", "bad b2", "good c3", "bad d4"], [1, 0, 1, 0])
joblib.dump(m, "nulltext.joblib")
ask("a null text", {"instances": ["good", None]}, status=400)
ask("a number as text", {"instances": [5]}, status=400)
ask("one text as a bare string", {"instances": "good"}, status=400)
ask("empty list", {"instances": []}, None, status=200)
serve("nulltext.joblib")
