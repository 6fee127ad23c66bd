"""A pickle written by a nightly scikit-learn (1.10.dev0): no such release."""

import joblib
import numpy as np
import sklearn.base
from sklearn.linear_model import LogisticRegression

from tests.wild.case import serve

X = np.random.default_rng(63).normal(size=(30, 2))
m = LogisticRegression().fit(X, X[:, 0] > 0)
sklearn.base.__version__ = "1.10.dev0"
joblib.dump(m, "nightly.joblib")
serve("nightly.joblib", after="command")
