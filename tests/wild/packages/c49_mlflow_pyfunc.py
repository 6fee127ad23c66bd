"""mlflow#1651, mlflow#12656: a PythonModel that wraps a classifier and gives labels of its own, saved by mlflow.pyfunc.save_model."""

import joblib
import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

from tests.wild.case import refuse


class Scorer(mlflow.pyfunc.PythonModel):
    def load_context(self, context):
        """As the wrapper in MLflow's own guide."""
        import joblib

        self.clf = joblib.load(context.artifacts["clf"])

    def predict(self, context, model_input, params=None):  # noqa: ARG002 - MLflow calls it so
        """Labels of one's own."""
        p = self.clf.predict_proba(model_input)[:, 1]
        return ["high" if v > 0.3 else "low" for v in p]


rng = np.random.default_rng(40)
X = pd.DataFrame(rng.normal(size=(100, 2)), columns=["a", "b"])
clf = LogisticRegression().fit(X, (X.a > 0).astype(int))
joblib.dump(clf, "clf.joblib")
mlflow.pyfunc.save_model(
    "pyfunc_model",
    python_model=Scorer(),
    artifacts={"clf": "clf.joblib"},
    signature=infer_signature(X, ["high"]),
    input_example=X.head(2),
)
refuse("pyfunc_model", "model", "python_function")
