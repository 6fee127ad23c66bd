"""A Pipeline of ColumnTransformer and XGBClassifier, set_output pandas, missing values, whole-number column with null."""

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from xgboost import XGBClassifier

from tests.wild.case import ask, rows, serve

rng = np.random.default_rng(9)
n = 500
X = pd.DataFrame(
    {
        "sex": rng.choice(["male", "female"], n),
        "pclass": rng.integers(1, 4, n),
        "age": np.where(rng.random(n) < 0.2, np.nan, rng.normal(30, 10, n)),
        "embarked": rng.choice(["S", "C", None], n),
    }
)
y = ((X.sex == "female") * 2 + (X.pclass == 1) + rng.normal(0, 0.3, n) > 1.4).astype(int)
pre = make_column_transformer(
    (
        make_pipeline(
            SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        ),
        ["sex", "embarked"],
    ),
    (SimpleImputer(strategy="median"), make_column_selector(dtype_include="number")),
)
m = make_pipeline(pre, XGBClassifier(n_estimators=20, max_depth=3)).set_output(transform="pandas").fit(X, y)
joblib.dump(m, "titanic.joblib")
T = X.head(6).copy()
T.loc[0, "embarked"] = None
T["pclass"] = T.pclass.astype(float)
T.loc[1, "pclass"] = np.nan
records = rows(T)
ask("rows with nulls", {"instances": records}, m.predict(T))
ask("proba", {"instances": records}, m.predict_proba(T), method="predict_proba")
ask("a row alone", {"instances": records[1:2]}, m.predict(T)[1:2])
serve("titanic.joblib")
