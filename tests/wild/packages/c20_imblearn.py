"""imbalanced-learn's Pipeline with SMOTE and a BalancedRandomForest."""

import joblib
import pandas as pd
from imblearn.ensemble import BalancedRandomForestClassifier
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from sklearn.datasets import make_classification
from sklearn.preprocessing import StandardScaler

from tests.wild.case import ask, rows, serve

X, y = make_classification(300, 4, weights=[0.9], random_state=0)
X = pd.DataFrame(X, columns=list("abcd"))
m = make_pipeline(StandardScaler(), SMOTE(random_state=0), BalancedRandomForestClassifier(10, random_state=0)).fit(X, y)
joblib.dump(m, "fraud_imb.joblib")
T = X.head(5)
ask("labels", {"instances": rows(T)}, m.predict(T))
ask("proba", {"instances": rows(T)}, m.predict_proba(T), method="predict_proba")
serve("fraud_imb.joblib")
