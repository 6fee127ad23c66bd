"""Files as real libraries write them, made when they are first needed: what mutators start from."""

from __future__ import annotations

import io
import pickle
import warnings
from functools import cache


@cache
def pickles() -> tuple[bytes, ...]:
    """Estimators, arrays, frames and plain values, by pickle and by joblib."""
    import joblib
    import numpy as np
    import pandas as pd

    values: list[object] = [*_estimators(), np.arange(3.0), np.array(["a", None], dtype=object)]
    values += [np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), {"a": [1, 2], "b": ("x", b"y", 1.5)}]
    values += [pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), np.float64(1), np.datetime64("2020-01-01")]
    found = [pickle.dumps(one, protocol) for one in values for protocol in (0, 2, 4, 5)]
    for one in values:
        joblib.dump(one, buffer := io.BytesIO())
        found.append(buffer.getvalue())
    return tuple(found)


def _estimators() -> list[object]:
    import numpy as np
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from sklearn.tree import DecisionTreeClassifier

    rows, labels = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 2.0]]), np.array(["a", "b", "a", "b"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [
            LogisticRegression().fit(rows, labels),
            make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels),
            DecisionTreeClassifier(max_depth=2, random_state=0).fit(rows, labels),
            RandomForestClassifier(n_estimators=1, max_depth=1, random_state=0).fit(rows, labels),
            make_column_transformer((OneHotEncoder(), [0]), remainder="passthrough").fit(rows),
        ]
