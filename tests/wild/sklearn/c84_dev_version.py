"""A pickle written by a nightly scikit-learn (1.10.dev0): no such release."""

import joblib
import numpy as np
import sklearn.base
from sklearn.linear_model import LogisticRegression

from tests.wild.case import refuse

X = np.random.default_rng(63).normal(size=(30, 2))
m = LogisticRegression().fit(X, X[:, 0] > 0)
sklearn.base.__version__ = "1.10.dev0"
joblib.dump(m, "nightly.joblib")
refuse("nightly.joblib", "resolve", "1.10.dev0", "--framework scikit-learn==")
