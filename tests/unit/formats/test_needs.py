"""The packages that a pickled scikit-learn model needs beside those that its classes name."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.unit.formats.fitted import LABELS, X, inspected


@pytest.mark.parametrize(
    ("output", "tables"), [("polars", {"pandas", "polars"}), ("pandas", {"pandas"}), ("no", set())]
)
def test_the_library_of_a_steps_output(output: str, tables: set[str], tmp_path: Path) -> None:
    """`set_output(transform="polars")` needs polars, whose name no class of the file has."""
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, LABELS)
    model[0]._sklearn_output_config = {"transform": output}
    needs = {one.distribution for one in inspected(model, tmp_path).requirements}
    assert needs & {"pandas", "polars"} == tables
