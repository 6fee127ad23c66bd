"""Many student repositories: a folder with vectorizer.pkl and model.pkl, used one after the other."""

import json
import pickle
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB

from tests.wild.case import ask, serve

texts = ["free money", "win free", "hello friend", "see you friend", "money money win", "lunch tomorrow"]
y = ["spam", "spam", "ham", "ham", "spam", "ham"]
v = TfidfVectorizer().fit(texts)
m = MultinomialNB().fit(v.transform(texts), y)
d = Path("spam_app")
d.mkdir(exist_ok=True)
for name, o in {"vectorizer.pkl": v, "model.pkl": m}.items():
    (d / name).write_bytes(pickle.dumps(o))
T = ["free lunch", "friend"]
Path("rows.json").write_text(json.dumps(T))
ask("texts", {"instances": T}, m.predict(v.transform(T)))
serve("spam_app", after="init")
