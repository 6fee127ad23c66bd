"""Packages beside scikit-learn get a release that could have written their objects, by the attributes of these."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path
from typing import Any

import pytest
from packaging.specifiers import SpecifierSet
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from mlpack.artifacts.model import Requirement
from mlpack.formats.sklearn import SklearnFormat, releases
from mlpack.packages.settings import PackageSettings
from mlpack.packages.wanted import wanted
from mlpack.pipeline.inspect import inspect
from tests.unit.packages.models import sklearn_model
from tests.unit.packages.resolving import Resolve, lock_of, versions
from tests.unit.packages.standin_index import RELEASES, Release, serve

__all__ = ["lock_of"]  # a fixture is found by its name in the module


class _Step:
    """A fitted object of another package, whose class gets its name in the file."""

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.__dict__.update(attributes)

    def transform(self, rows: Any) -> Any:
        return rows


def _constraint(path: Path, module: str, name: str, *states: dict[str, Any]) -> str:
    """The releases that inspection allows for steps with these attributes."""
    fitted = LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0])
    written = pickle.dumps(make_pipeline(*map(_Step, states), fitted), 0)
    path.write_bytes(written.replace(f"c{__name__}\n_Step".encode(), f"c{module}\n{name}".encode()))
    info = inspect(path, formats=[SklearnFormat()])
    return next(one.constraint for one in info.requirements if one.module == module.partition(".")[0])


@pytest.mark.parametrize(
    ("module", "name", "state", "allowed"),
    [
        ("feature_engine.imputation", "MeanMedianImputer", {"input_shape_": (9, 1)}, "<1.1"),
        ("feature_engine.imputation", "MeanMedianImputer", {"n_features_in_": 1}, ">=1.1,<1.3"),
        (
            "feature_engine.imputation",
            "MeanMedianImputer",
            {"n_features_in_": 1, "feature_names_in_": ["a"]},
            ">=1.3",
        ),
        ("feature_engine.encoding", "OrdinalEncoder", {"variables": None, "feature_names_in_": ["a"]}, ">=1.3,<1.5"),
        ("category_encoders.ordinal", "OrdinalEncoder", {"feature_names": ["a"], "_dim": 1}, ">=2,<2.6"),
        (
            "category_encoders.ordinal",
            "OrdinalEncoder",
            {"feature_names_out_": ["a"], "n_features_in_": 1},
            ">=2.6.1,<2.10",
        ),
        ("mlxtend.regressor", "StackingRegressor", {"regr_": []}, "<0.19"),
        ("mlxtend.regressor", "StackingRegressor", {}, ""),
    ],
)
def test_the_attributes_tell_the_releases(
    tmp_path: Path, module: str, name: str, state: dict[str, Any], allowed: str
) -> None:
    """The name of an attribute that a release added, renamed or removed."""
    assert _constraint(tmp_path / "model.pkl", module, name, state) == allowed


def test_objects_of_one_package_are_taken_together(tmp_path: Path) -> None:
    """What they have in common; nothing where they exclude each other."""
    step, later = {"n_features_in_": 1}, {"n_features_in_": 1, "feature_names_in_": ["a"]}
    module, name = "feature_engine.encoding", "MeanMedianImputer"
    assert _constraint(tmp_path / "one.pkl", module, name, step, {}) == ">=1.1,<1.3"
    assert _constraint(tmp_path / "two.pkl", module, name, step, later) == ""


def test_every_line_of_the_table_is_whole() -> None:
    """A module, classes, an attribute, the releases as bounds, and what the release changed."""
    with releases._TABLE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if not row[0].startswith("#")]
    assert all(len(row) == 6 and row[0] and row[1] and row[2] and row[5] for row in rows)
    assert {clause.operator for row in rows for clause in SpecifierSet(row[4])} == {">=", "<"}
    assert len({tuple(row[:5]) for row in rows}) == len(rows)


def test_the_users_version_is_used_instead() -> None:
    """A version in `requirements:` replaces the bounds of the file; the bare name does not."""
    encoder = Requirement(module="feature_engine", distribution="feature-engine", constraint="<1.1")
    info = sklearn_model("1.0.2", encoder)
    assert wanted(info, extras=("feature-engine",), framework=None).constraints == ("feature-engine<1.1",)
    assert wanted(info, extras=("feature_engine==1.2.0",), framework=None).constraints == ()


def test_a_release_after_the_frameworks_time_is_taken(lock_of: Resolve) -> None:
    """Else the one of the framework's time; the reason is given."""
    encoders = (
        Release("feature-engine", "1.0.2", "2021-05-19T10:00:00Z"),
        Release("feature-engine", "1.2.0", "2022-01-04T10:00:00Z"),
        Release("feature-engine", "1.3.0", "2022-05-05T10:00:00Z"),
    )
    with serve((*RELEASES, *encoders)) as index:
        settings = PackageSettings(index_url=index.url)
        for allowed, taken in (("<1.1", "1.0.2"), ("", "1.2.0"), (">=1.3", "1.3.0")):
            needed = Requirement(module="feature_engine", distribution="feature-engine", constraint=allowed)
            lock = lock_of(sklearn_model("1.0.2", needed), settings)
            assert versions(lock)["feature-engine"] == taken
        assert any("feature-engine >=1.3" in reason for reason in lock.reasons)
