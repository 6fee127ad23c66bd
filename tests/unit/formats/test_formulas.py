"""statsmodels results that a formula fitted: rows for the warm-up that the formula can compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlpack.formats.sklearn import SklearnFormat
from mlpack.pipeline.inspect import inspect
from mlpack.runtime.card import Signature
from mlpack.runtime.protocols.examples import example

smf = pytest.importorskip("statsmodels.formula.api")


def test_numbers_of_a_made_up_row_are_within_the_training_tables(tmp_path: Path) -> None:
    """A spline takes no number outside of what it was fitted on, so a row has about the medians."""
    chance = np.random.default_rng(5)
    table = pd.DataFrame({"age": chance.uniform(18, 80, 60), "kind": ["car", "van"] * 30, "km": np.full(60, 1234.5678)})
    table["claims"] = 0.1 * table["age"] + chance.normal(size=60)
    result = smf.ols("claims ~ bs(age, df=4) + C(kind)", table).fit()
    path = tmp_path / "claims.pickle"
    result.save(str(path))
    info = inspect(path, formats=[SklearnFormat()])
    signature = Signature.from_json(info.signatures[0].to_json())
    row = example(signature)
    assert table["age"].min() < row["age"] < table["age"].max()
    assert row["kind"] == "car"
    assert np.isfinite(result.predict(pd.DataFrame([row]))).all()
