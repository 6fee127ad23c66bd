"""my_ml_service#5, xgboost#11024: one file holds model, label encoder, columns and a threshold."""

import joblib
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import LabelEncoder

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(5)
X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["age", "income", "debt"])
lab = np.where(X.age + X.debt > 0, "reject", "accept")
le = LabelEncoder().fit(lab)
clf = RandomForestClassifier(20, random_state=0).fit(X, le.transform(lab))
joblib.dump({"model": clf, "label_encoder": le, "features": list(X.columns), "threshold": 0.42}, "artifacts.joblib")
T = X.head(4)
ask("labels", {"instances": rows(T)}, le.inverse_transform((clf.predict_proba(T)[:, 1] > 0.42).astype(int)))
serve("artifacts.joblib", after="init")
