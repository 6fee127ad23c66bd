"""sklearn#4199: multilabel tree, one label constant, so that its probabilities have one column."""

import joblib
import numpy as np
from sklearn.tree import DecisionTreeClassifier

from tests.wild.case import ask, serve

rng = np.random.default_rng(3)
X = rng.normal(size=(60, 3))
Y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, np.zeros(60)]).astype(int)
m = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, Y)
joblib.dump(m, "tags.joblib")
T = X[:3]
ask("labels", {"instances": T}, m.predict(T))
p = m.predict_proba(T)
ask(
    "proba",
    {"instances": T},
    [{f"predict_proba_{k}": a[i].tolist() for k, a in enumerate(p)} for i in range(3)],
    method="predict_proba",
)
serve("tags.joblib")
