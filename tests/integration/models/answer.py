"""Asks a model file in the environment that runs this, without a server: answer.py MODEL QUESTION ANSWER, both JSON.

A question is `{"rows": [...], "methods": [...], "entry": key or null}`; rows are objects (a DataFrame is made of them), lists
(an array) or texts. The answer holds the values by method, and under `sklearn` the version that gave them.
"""

import json
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import sklearn

warnings.simplefilter("ignore")  # a file of an older minor version is part of what is asked here


def as_taught(rows):
    """The rows as a data scientist would hand them over."""
    if isinstance(rows[0], dict):
        import pandas as pd

        return pd.DataFrame(rows)
    return rows if isinstance(rows[0], str) else np.array(rows, dtype=float)


if __name__ == "__main__":
    file, question, answer = sys.argv[1:]
    asked = json.loads(Path(question).read_text())
    model = joblib.load(file)
    if asked.get("entry"):
        model = model[asked["entry"]]
    rows = as_taught(asked["rows"])
    told = {method: np.asarray(getattr(model, method)(rows)).tolist() for method in asked["methods"]}
    Path(answer).write_text(json.dumps({**told, "sklearn": sklearn.__version__}))
