"""mlflow#6273: NearestNeighbors answers kneighbors, not predict."""

import joblib
import numpy as np
import pandas as pd
from sklearn.neighbors import NearestNeighbors

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(18)
X = pd.DataFrame(rng.normal(size=(100, 3)), columns=list("abc"))
m = NearestNeighbors(n_neighbors=3).fit(X)
joblib.dump(m, "similar.joblib")
d, i = m.kneighbors(X.head(2))
ask("rows", {"instances": rows(X.head(2))}, i, method="kneighbors")
serve("similar.joblib")
