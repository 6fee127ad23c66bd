"""Writes a folder for each flavour with the MLflow of the environment that runs this: make_mlflow_models.py FOLDER."""

import sys
import warnings
from pathlib import Path

import lightgbm
import mlflow.lightgbm
import mlflow.pyfunc
import mlflow.sklearn
import mlflow.xgboost
import numpy as np
import pandas as pd
import xgboost
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

warnings.simplefilter("ignore")
FOLDER = Path(sys.argv[1])
TABLE = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 4)), columns=list("abcd"))
TARGET = (TABLE["a"] > 0).astype(int)


class Own(mlflow.pyfunc.PythonModel):
    """A model that only Python loads."""

    def predict(self, context, model_input, params=None):  # noqa: ARG002  # MLflow's interface
        """Hands back."""
        return model_input


linear = LogisticRegression().fit(TABLE, TARGET)
signature = infer_signature(TABLE, linear.predict(TABLE))
told = {"signature": signature, "input_example": TABLE.head(3)}
mlflow.sklearn.save_model(linear, FOLDER / "sklearn", **told)
mlflow.sklearn.save_model(linear, FOLDER / "pickled", serialization_format="cloudpickle", **told)
mlflow.xgboost.save_model(
    xgboost.XGBClassifier(n_estimators=3).fit(TABLE, TARGET), FOLDER / "xgboost", signature=signature
)
booster = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(TABLE, TARGET).booster_
mlflow.lightgbm.save_model(booster, FOLDER / "lightgbm")
mlflow.pyfunc.save_model(FOLDER / "pyfunc", python_model=Own())
