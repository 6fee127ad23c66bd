"""mlflow#4827: object column with None, SimpleImputer(missing_values=None) then one-hot. Run with scikit-learn 1.5, pandas 2.2."""

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from tests.wild.case import ask, rows, serve

X = pd.DataFrame(
    {
        "plan": pd.Series(["basic", "pro", None, "basic", None, "pro", "basic", None], dtype=object),
        "months": [1.0, 2, 3, 4, 5, 6, 7, 8],
    }
)
y = ["stay", "stay", "leave", "stay", "leave", "stay", "stay", "leave"]
fill = Pipeline(
    [
        ("fill", SimpleImputer(missing_values=None, strategy="constant", fill_value="")),
        ("hot", OneHotEncoder(handle_unknown="ignore")),
    ]
)
m = Pipeline(
    [
        ("pre", ColumnTransformer([("cat", fill, ["plan"])], remainder="passthrough")),
        ("tree", DecisionTreeClassifier(random_state=0)),
    ]
).fit(X, y)
joblib.dump(m, "churn.joblib")
T = pd.DataFrame({"plan": pd.Series([None, "basic", "pro", "other", None], dtype=object), "months": [2.0, 3, 1, 4, 9]})
ask("rows with null text", {"instances": rows(T)}, m.predict(T))
ask("proba", {"instances": rows(T)}, m.predict_proba(T), method="predict_proba")
ask("one null row", {"instances": rows(T)[:1]}, m.predict(T)[:1])
serve("churn.joblib")
