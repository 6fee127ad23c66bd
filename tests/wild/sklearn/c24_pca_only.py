"""rikai#477: a Pipeline that ends in PCA: nothing to predict, transform is the answer."""

import joblib
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(17)
X = pd.DataFrame(rng.normal(size=(100, 4)), columns=list("wxyz"))
m = make_pipeline(StandardScaler(), PCA(2)).fit(X)
joblib.dump(m, "embed.joblib")
ask("rows", {"instances": rows(X.head(3))}, m.transform(X.head(3)))
serve("embed.joblib")
