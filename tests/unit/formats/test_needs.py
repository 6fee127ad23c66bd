"""The packages that a pickled scikit-learn model needs beside those that its classes name."""

from __future__ import annotations

from pathlib import Path

import joblib
import lightgbm
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlpack.pipeline.inspect import inspect
from mlpack.plugins import load
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


@pytest.mark.parametrize("name", ["model.pkl", "model.pkl.gz", "model.pkl.bz2", "model.pkl.xz", "model.joblib.lz4"])
def test_what_reads_a_compressed_booster(name: str, tmp_path: Path) -> None:
    """A Booster alone brings no joblib, which reads compressed pickles in the image, whoever wrote them; lz4 needs lz4 too."""
    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(X, LABELS), 2)
    joblib.dump(booster, tmp_path / name)
    needs = {one.distribution for one in inspect(tmp_path / name, formats=[load("formats", "sklearn")()]).requirements}
    compressed = {"joblib", "lz4"} if name.endswith("lz4") else set() if name == "model.pkl" else {"joblib"}
    assert needs == {"lightgbm", *compressed}
