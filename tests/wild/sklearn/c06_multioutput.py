"""sklearn#8093: MultiOutputClassifier whose targets have different numbers of classes, some of them text."""

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier

from tests.wild.case import ask, serve

rng = np.random.default_rng(2)
X = rng.normal(size=(200, 4))
Y = np.column_stack([np.where(X[:, 0] > 0, "up", "down"), np.digitize(X[:, 1], [-0.5, 0.5]).astype(str)]).astype(object)
m = MultiOutputClassifier(LogisticRegression()).fit(X, Y)
joblib.dump(m, "two_targets.joblib")
T = X[:3]
ask("labels of both", {"instances": T}, m.predict(T))
p = m.predict_proba(T)
ask(
    "proba",
    {"instances": T},
    [{f"predict_proba_{k}": a[i].tolist() for k, a in enumerate(p)} for i in range(3)],
    method="predict_proba",
)
serve("two_targets.joblib")
