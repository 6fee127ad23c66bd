"""Which releases of its library read a pickled booster, by what its state holds; models made as old releases wrote them."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import sklearn.base
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline
from sklearn.linear_model import LogisticRegression

from mlpack.packages.wanted import wanted
from tests.formats.answering import inspected

TABLE = np.random.default_rng(0).normal(size=(60, 2))


def of_release(release: str, model: Any) -> Any:
    """A fitted LightGBM 4 estimator with the attributes that this release gave it."""
    if release != "4.6.0":
        model.__dict__.update(_fobj=None, silent=True)
    if release == "3.0.0" or release.startswith("2."):
        del model.__dict__["fitted_"]
    if release.startswith("2."):
        del model.__dict__["_n_features_in"]
    return model


@pytest.mark.parametrize(
    ("release", "line"),
    [
        ("4.6.0", "lightgbm"),
        ("3.3.5", "lightgbm==3.3.5"),
        ("3.1.1", "lightgbm==3.3.5"),
        ("3.0.0", "lightgbm==3.0.0"),
        ("2.2.3", "lightgbm==2.3.1"),
    ],
)
def test_lightgbms_estimators(tmp_path: Path, release: str, line: str) -> None:
    """LightGBM 4 takes no older regressor, 3.1 none from before; each gets the last release that reads it."""
    model = lightgbm.LGBMRegressor(n_estimators=2, verbose=-1).fit(TABLE, TABLE[:, 0])
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(of_release(release, model)))
    info = inspected(tmp_path / "m.pkl")
    assert info.framework_version is None
    found = wanted(info, extras=(), framework=None)
    assert line in found.lines
    assert "lightgbm" in found.newest
    assert not any(constraint.startswith("lightgbm") for constraint in found.constraints)


def test_every_release_reads_a_bare_lightgbm_booster(tmp_path: Path) -> None:
    """Its state is the text of the model, so that the newest is installed."""
    booster = lightgbm.train({"verbose": -1}, lightgbm.Dataset(TABLE, TABLE[:, 0]), 2)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(booster))
    assert "lightgbm" in wanted(inspected(tmp_path / "m.pkl"), extras=(), framework=None).lines


def test_the_users_word_comes_first(tmp_path: Path) -> None:
    """--framework, and a line of `requirements:`, name another release than the state tells."""
    model = lightgbm.LGBMRegressor(n_estimators=2, verbose=-1).fit(TABLE, TABLE[:, 0])
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(of_release("3.3.5", model)))
    found = wanted(inspected(tmp_path / "m.pkl"), extras=(), framework="lightgbm==3.2.1")
    assert ("lightgbm==3.2.1" in found.lines, found.newest) == (True, {})
    assert found.dated == {"lightgbm": "3.2.1"}
    found = wanted(inspected(tmp_path / "m.pkl"), extras=("lightgbm==3.1.1",), framework=None)
    assert (found.pins, found.extras) == ({}, ("lightgbm==3.1.1",))


def test_a_recorded_version_dates_the_file(tmp_path: Path) -> None:
    """A classifier's labels were encoded by a scikit-learn that the file records: its time is the file's, not LightGBM's."""
    model = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(TABLE, TABLE[:, 0] > 0)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(of_release("3.3.5", model)))
    found = wanted(inspected(tmp_path / "m.pkl"), extras=(), framework=None)
    assert set(found.pins) == {"lightgbm", "scikit-learn"}
    assert set(found.dated) == {"scikit-learn"}


def test_a_pickle_of_xgboost_before_1(tmp_path: Path) -> None:
    """Its bytes hold no version, and 1.0 and later refuse them: the last release before is installed."""
    text = b"".join(struct.pack("<Q", len(word)) + word for word in (b"reg:linear", b"gbtree"))
    held = struct.pack("<fIiiiIII", 0.5, 2, 0, 0, 0, 0, 0, 0).ljust(136, b"\0") + text + bytes(200)
    state = pickle.dumps({"handle": bytearray(held), "feature_names": ["a", "b"], "feature_types": None}, 2)
    (tmp_path / "m.pkl").write_bytes(b"\x80\x02cxgboost.core\nBooster\n)\x81" + state[2:-1] + b"b.")
    info = inspected(tmp_path / "m.pkl")
    assert info.signatures[0].columns == ("a", "b")
    assert "xgboost==0.90" in wanted(info, extras=(), framework=None).lines


@pytest.mark.parametrize(("release", "line"), [("1.7.0", "imbalanced-learn==0.14.0"), ("1.5.2", "imbalanced-learn")])
def test_imbalanced_learn_fits_the_recorded_scikit_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str, line: str
) -> None:
    """Where its release for that scikit-learn came late, the date of the file does not exclude it."""
    model = make_pipeline(RandomOverSampler(), LogisticRegression()).fit(TABLE, TABLE[:, 0] > 0.5)
    monkeypatch.setattr(sklearn.base, "__version__", release)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    found = wanted(inspected(tmp_path / "m.pkl"), extras=(), framework=None)
    assert line in found.lines
    assert found.dated == {"scikit-learn": release}
