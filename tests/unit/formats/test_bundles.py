"""Bundles, own classes, relatives of scikit-learn: what a file holds, what it needs, which entry is served."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn
from lightgbm import LGBMRegressor
from sklearn.base import BaseEstimator
from sklearn.cluster import DBSCAN
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import LabelEncoder, StandardScaler
from xgboost import XGBClassifier

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import UsageError
from mlpack.pipeline.inspect import inspect
from mlpack.plugins import load
from tests.unit.formats.fitted import LABELS, X, inspected

MODEL = LogisticRegression().fit(X, LABELS)


class Wrapper:
    """A class of the user's own that holds an estimator."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.threshold = 0.5

    def predict(self, rows: Any) -> Any:
        """Answers for new rows."""
        return self.model.predict(rows)


class Trimmer(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A step of the user's own."""

    def fit(self, _rows: Any, _target: Any = None) -> Trimmer:
        """Learns nothing."""
        self.fitted_ = True
        return self

    def transform(self, rows: Any) -> Any:
        """Hands on."""
        return rows


def _bundle() -> dict[str, Any]:
    return {
        "model": MODEL,
        "labels": LabelEncoder().fit(["a", "b", "c"]),
        "features": ["a", "b", "c", "d"],
        "threshold": np.float64(0.35),
        "others": {"scaled": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, LABELS), 7: MODEL},
        "list": [MODEL, MODEL],
    }


def test_a_bundle_shows_what_it_holds(tmp_path: Path) -> None:
    """Each thing in a dictionary is listed with its class and whether it can be served; nothing is chosen."""
    info = inspected(_bundle(), tmp_path)
    assert info.framework == "scikit-learn"
    assert info.root_class == "dict"
    assert info.signatures == ()
    servable = [content.key for content in info.contents if content.servable]
    assert servable == ["model", "labels", "others.scaled", "others.7", "list.0", "list.1"]
    assert {content.key: content.detail for content in info.contents}["threshold"] == "0.35"
    assert any("--entry model" in warning for warning in info.warnings)


@pytest.mark.parametrize("entry", ["model", "others.scaled", "others.7", "list.1"])
def test_an_entry_is_served(entry: str, tmp_path: Path) -> None:
    """A key, a key in a key, or a place in a list picks the model; the requirements stay those of the whole file."""
    info = inspected(_bundle(), tmp_path, entry=entry)
    assert info.entry == entry
    assert info.task == "classifier"
    assert info.signatures[0].inputs[0].shape == (-1, 4)
    assert info.classes == (0, 1, 2)


@pytest.mark.parametrize("entry", ["nothing", "threshold", "others", "model.coef_"])
def test_a_wrong_entry_names_the_right_ones(entry: str, tmp_path: Path) -> None:
    """An entry that is not there, or is no model, is a usage error that names those that are."""
    with pytest.raises(UsageError) as caught:
        inspected(_bundle(), tmp_path, entry=entry)
    assert "model, labels, others.scaled" in caught.value.hint


def test_an_entry_of_a_single_model_is_an_error(tmp_path: Path) -> None:
    """A file that is one model has no entries."""
    with pytest.raises(UsageError, match="has no entry"):
        inspected(MODEL, tmp_path, entry="model")


def test_a_tuple_of_a_class_and_its_state(tmp_path: Path) -> None:
    """A tuple (class, dictionary) is a bundle whose estimator has a dotted key."""
    info = inspected((Wrapper, {"model": MODEL}), tmp_path)
    assert [(content.key, content.servable) for content in info.contents] == [
        ("0", False),
        ("1", False),
        ("1.model", True),
    ]
    assert inspected((Wrapper, {"model": MODEL}), tmp_path, entry="1.model").task == "classifier"


def test_an_own_class_around_an_estimator(tmp_path: Path) -> None:
    """The framework is the held estimator's, the module is named as missing, and the estimator inside can be chosen."""
    info = inspected(Wrapper(MODEL), tmp_path)
    assert info.framework == "scikit-learn"
    assert info.framework_version is not None
    assert info.root_class.endswith("Wrapper")
    assert info.missing_modules == (__name__.partition(".")[0],)
    assert info.signatures == ()
    assert any("--include" in warning for warning in info.warnings)
    assert inspected(Wrapper(MODEL), tmp_path, entry="model").classes == (0, 1, 2)


def test_an_own_step_in_a_pipeline(tmp_path: Path) -> None:
    """A step of others' code gets a DataFrame when the number of columns is known, and rows are not joined."""
    info = inspected(make_pipeline(StandardScaler(), Trimmer(), LogisticRegression()).fit(X, LABELS), tmp_path)
    assert info.signatures[0].layout == "matrix"
    assert not info.signatures[0].batchable
    assert info.missing_modules == (__name__.partition(".")[0],)
    first = inspected(make_pipeline(Trimmer(), LogisticRegression()).fit(X, LABELS), tmp_path)
    assert first.signatures == ()
    assert first.methods == ("predict", "predict_proba", "decision_function")


def test_versions_and_numpy(tmp_path: Path) -> None:
    """The recorded version is the framework's; numpy's major version constrains it."""
    info = inspected(MODEL, tmp_path)
    assert info.framework_version == sklearn.__version__
    assert info.numpy_major == 2
    wanted = {one.distribution: (one.version, one.constraint) for one in info.requirements}
    assert wanted == {"scikit-learn": (sklearn.__version__, ""), "numpy": (None, ">=2")}
    assert info.requirements[0].distribution == "scikit-learn"


def test_parts_of_different_versions_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle made of models of two versions says so; a model's own version goes before the newest of all."""
    new = pickle.dumps(MODEL, protocol=2)
    monkeypatch.setattr("sklearn.base.__version__", "1.0.2")
    old = pickle.dumps(MODEL, protocol=2)
    path = tmp_path / "two.pkl"
    path.write_bytes(b"\x80\x02" + old[2:-1] + new[2:-1] + b"\x86.")  # both bodies, then TUPLE2
    formats = [load("formats", "sklearn")()]
    info = inspect(path, formats=formats)
    assert any("1.0.2" in warning and sklearn.__version__ in warning for warning in info.warnings)
    assert info.framework_version == sklearn.__version__
    assert inspect(path, formats=formats, entry="0").framework_version == "1.0.2"


def test_no_version_is_not_guessed(tmp_path: Path) -> None:
    """Without a recorded version there is none, until the user gives it."""
    raw = pickle.dumps(MODEL).replace(b"_sklearn_version", b"_sklearn_verzion")
    path = tmp_path / "model.pkl"
    path.write_bytes(raw)
    formats = [load("formats", "sklearn")()]
    assert inspect(path, formats=formats).framework_version is None
    told = inspect(path, formats=formats, framework="scikit-learn==1.0.2")
    assert told.framework_version == "1.0.2"
    assert told.requirements[0].version == "1.0.2"


@pytest.fixture
def lightgbm(monkeypatch: pytest.MonkeyPatch) -> type:
    """A stand-in for lightgbm's classifier: the name and the attributes that its pickles have."""
    module = ModuleType("lightgbm.sklearn")

    class LGBMClassifier:
        """Only its state matters."""

    LGBMClassifier.__module__, LGBMClassifier.__qualname__ = "lightgbm.sklearn", "LGBMClassifier"
    module.LGBMClassifier = LGBMClassifier  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setitem(sys.modules, "lightgbm", ModuleType("lightgbm"))
    monkeypatch.setitem(sys.modules, "lightgbm.sklearn", module)
    return LGBMClassifier


def test_a_relative_is_its_own_framework(lightgbm: type, tmp_path: Path) -> None:
    """An LGBMClassifier is lightgbm's; scikit-learn's recorded version is a further requirement."""
    model = lightgbm()
    labels = np.array(["N1", "N2", "W"])
    model.__dict__.update({"_n_features": 5, "_classes": labels, "_le": LabelEncoder().fit(labels), "_n_classes": 3})
    info = inspected(model, tmp_path)
    assert (info.framework, info.framework_version, info.task) == ("lightgbm", None, "classifier")
    assert info.classes == ("N1", "N2", "W")
    assert info.signatures[0].inputs[0].shape == (-1, 5)
    assert [one.distribution for one in info.requirements] == ["lightgbm", "numpy", "scikit-learn"]
    assert info.requirements[2].version is not None
    told = inspected(model, tmp_path, framework="lightgbm==4.1.0")
    assert told.framework_version == "4.1.0"


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3)])
def test_joblib_files(compress: Any, tmp_path: Path) -> None:
    """Joblib's files say their compression, and need joblib."""
    path = tmp_path / "model.joblib"
    joblib.dump(MODEL, path, compress=compress)
    info = inspect(path, formats=[load("formats", "sklearn")()])
    assert info.compression == (compress[0] if compress else None)
    assert info.classes == (0, 1, 2)
    assert "joblib" in {one.distribution for one in info.requirements}


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol(protocol: int, tmp_path: Path) -> None:
    """All six pickle protocols tell the same model."""
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(make_pipeline(StandardScaler(), MODEL).fit(X, LABELS), protocol=protocol))
    info: ModelInfo = inspect(path, formats=[load("formats", "sklearn")()])
    assert info.protocol == protocol
    assert (info.task, info.n_features_in, info.classes) == ("classifier", 4, (0, 1, 2))


@pytest.mark.parametrize("module", [b"sklearn.tree.tree", b"sklearn.tree._classes"])
def test_modules_that_moved(module: bytes, tmp_path: Path) -> None:
    """A class is known by its name, whichever module it lived in at the time (protocol 0 as Python 2 wrote it)."""
    path = tmp_path / "model.pkl"
    path.write_bytes(
        b"ccopy_reg\n_reconstructor\n(c" + module + b"\nDecisionTreeClassifier\nc__builtin__\nobject\nNtR"
        b"(dS'n_features_'\nI3\nsS'n_outputs_'\nI1\nsS'_sklearn_version'\nS'0.18.2'\nsb."
    )
    info = inspect(path, formats=[load("formats", "sklearn")()])
    assert (info.task, info.n_features_in, info.framework_version) == ("classifier", 3, "0.18.2")
    assert info.methods == ("predict", "predict_proba")


@pytest.mark.parametrize(
    "model", [LogisticRegression(), GridSearchCV(LogisticRegression(), {"C": [1]}), XGBClassifier(), LGBMRegressor()]
)
def test_an_unfitted_model_is_told(tmp_path: Path, model: Any) -> None:
    """An estimator that was never fitted is recognised and said to be so, with what to do."""
    info = inspected(model, tmp_path)
    assert info.signatures == ()
    assert "No signature: it was never fitted; fit it before you save it." in info.warnings


def test_what_answers_no_new_rows_is_not_called_unfitted(tmp_path: Path) -> None:
    """A fitted DBSCAN, alone and at the end of a pipeline."""
    for model in (DBSCAN(), make_pipeline(StandardScaler(), DBSCAN())):
        info = inspected(model.fit([[0.0], [1.0], [2.0]]), tmp_path)
        assert any("no method to predict new rows" in warning for warning in info.warnings)


def test_structures_that_hold_themselves(tmp_path: Path) -> None:
    """A pipeline whose step is itself, and one nested forty times in both arms, end at once."""
    loop = make_pipeline(StandardScaler(), MODEL)
    loop.steps.append(("again", loop))
    assert inspected(loop, tmp_path).root_class.endswith("Pipeline")
    wide: Any = StandardScaler().fit(X)
    for _ in range(40):
        wide = FeatureUnion([("a", wide), ("b", wide)])
    assert inspected(wide, tmp_path).methods == ("transform",)
