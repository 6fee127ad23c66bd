"""DBSCAN pickled: it can only label the rows it was fitted on."""

import joblib
import numpy as np
from sklearn.cluster import DBSCAN

from tests.wild.case import refuse

joblib.dump(DBSCAN().fit(np.random.default_rng(56).normal(size=(50, 2))), "dbscan.joblib")
refuse("dbscan.joblib", "model", "DBSCAN", "fitted on")
