"""narwhals is asked by scikit-learn of every array: it answers as before, only sooner."""

from __future__ import annotations

from typing import Any

import narwhals.stable.v2 as narwhals
import numpy as np
import pandas as pd
import pytest

from mlpack.runtime.models.loading import speed_up_narwhals


@pytest.mark.parametrize(
    ("one", "frame", "series"),
    [
        (np.zeros((2, 2)), False, False),
        (np.zeros(2, dtype=object), False, False),
        (np.zeros(2).view(np.recarray), False, False),
        ([[1.0]], False, False),
        (pd.DataFrame({"a": [1]}), True, False),
        (pd.Series([1]), False, True),
    ],
)
def test_the_answers_stay(one: Any, frame: bool, series: bool) -> None:
    """Before and after, and after it was told twice."""
    dependencies = narwhals.dependencies
    before = [dependencies.is_into_dataframe(one), dependencies.is_into_series(one)]
    for _ in range(2):
        speed_up_narwhals()
        told = [dependencies.is_into_dataframe(one), dependencies.is_into_series(one)]
        assert told == before == [frame, series]
    original = vars(dependencies.is_into_dataframe)["__wrapped__"]
    assert "__wrapped__" not in vars(original)
