"""inspect, which imports nothing, says of every estimator of scikit-learn what scikit-learn says of the fitted object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.formats.fitted import (
    assert_answers_as_declared,
    estimator_names,
    fitted,
    inspected,
    offered,
    true_classes,
    true_task,
)

# No table and no text: said so, with the remedy.
UNSUPPORTED = {"DictVectorizer", "FeatureHasher", "PatchExtractor", "MultiLabelBinarizer"}
# Always tested: one of each kind of rule. The others belong to the long run.
QUICK = {
    "BaggingClassifier", "BernoulliNB", "CalibratedClassifierCV", "ClassifierChain", "ColumnTransformer", "CountVectorizer",
    "DBSCAN", "DictVectorizer", "FeatureUnion", "FixedThresholdClassifier", "FrozenEstimator", "GaussianMixture",
    "GridSearchCV", "IsotonicRegression", "KMeans", "KernelDensity", "LabelBinarizer", "LabelEncoder", "LinearSVC",
    "LinearDiscriminantAnalysis", "LocalOutlierFactor", "LogisticRegression", "MLPClassifier", "MultiOutputClassifier",
    "MultiOutputRegressor", "NearestNeighbors", "OneClassSVM", "OneHotEncoder", "OneVsOneClassifier", "OneVsRestClassifier",
    "OrdinalEncoder", "PCA", "PLSRegression", "Pipeline", "RFE", "RandomForestClassifier", "RegressorChain", "Ridge",
    "RidgeClassifier", "SGDClassifier", "SVC", "SelectFromModel", "SelectKBest", "SelfTrainingClassifier", "SimpleImputer",
    "StackingClassifier", "StandardScaler", "TfidfVectorizer", "TransformedTargetRegressor", "VotingClassifier",
}  # fmt: skip


def _cases() -> list[Any]:
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in estimator_names()]


@pytest.mark.parametrize("name", _cases())
def test_it_says_what_scikit_learn_says(name: str, tmp_path: Path) -> None:
    """Task, methods, number of columns, classes, and each method's output are those of the fitted object."""
    model, rows = fitted(name)
    info = inspected(model, tmp_path)
    assert info.root_class.rpartition(".")[2] == name
    assert info.framework == "scikit-learn"
    assert info.task == true_task(model)
    assert list(info.methods) == offered(model)
    columns = 1 if name == "IsotonicRegression" else getattr(model, "n_features_in_", None)
    assert info.n_features_in == columns
    assert (None if info.classes is None else list(info.classes)) == true_classes(model)
    if name in UNSUPPORTED - {"DictVectorizer", "FeatureHasher"}:  # which take objects
        assert info.signatures == ()
        assert any("predictor: predict.py" in warning for warning in info.warnings)
    else:
        assert list(dict.fromkeys(signature.method for signature in info.signatures)) == offered(model)
    # VotingClassifier's transform answers encoded labels, which nobody serves; kneighbors has a test of its own.
    if name not in ("VotingClassifier", "NearestNeighbors"):
        assert_answers_as_declared(info, model, rows)
