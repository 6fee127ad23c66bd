"""Pipeline(memory=Memory(dir)), boolean labels."""

import joblib
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(33)
X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
y = (X.a > 0).to_numpy()
m = Pipeline(
    [("pca", PCA(2)), ("rf", RandomForestClassifier(10, random_state=0))], memory=joblib.Memory("cachedir", verbose=0)
).fit(X, y)
joblib.dump(m, "mem.joblib")
T = X.head(3)
ask("booleans", {"instances": rows(T)}, m.predict(T))
serve("mem.joblib")
