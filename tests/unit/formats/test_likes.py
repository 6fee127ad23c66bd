"""Models of scikit-learn's relatives that are not installed here, by pickles that name their classes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from mlpack.formats.sklearn import SklearnFormat
from mlpack.pipeline.inspect import inspect


class _Detector:
    """Stands for a detector of PyOD's, with the table that it was fitted on."""

    def __init__(self) -> None:
        self.X_train = np.zeros((5, 3))


@pytest.mark.parametrize(
    ("module", "name", "batch"), [("ecod", "ECOD", "one"), ("copod", "COPOD", "one"), ("knn", "KNN", "any")]
)
def test_detectors_that_rank_the_rows_of_a_call_are_asked_row_by_row(
    tmp_path: Path, module: str, name: str, batch: str
) -> None:
    """ECOD and COPOD rank what they are asked among itself; the reason is told, and others are asked as ever."""
    written = pickle.dumps(_Detector(), 0)
    path = tmp_path / "model.pkl"
    path.write_bytes(written.replace(f"c{__name__}\n_Detector".encode(), f"cpyod.models.{module}\n{name}".encode()))
    info = inspect(path, formats=[SklearnFormat()])
    assert info.root_class == f"pyod.models.{module}.{name}"
    assert {one.batch for one in info.signatures} == {batch}
    assert info.signatures[0].inputs[0].shape == (-1, 3)
    assert any("in its own call" in told for told in info.warnings) is (batch == "one")
