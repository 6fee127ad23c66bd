"""Fitted estimators to inspect, and what scikit-learn itself says of each."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_outlier_detector, is_regressor
from sklearn.decomposition import PCA
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401 - for `all_estimators`
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import all_estimators

from mlpack.artifacts.model import ModelInfo
from mlpack.pipeline.gate import unservable
from mlpack.pipeline.inspect import inspect
from mlpack.plugins import load

METHODS = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
DTYPES = {
    "int64": "INT64", "int32": "INT32", "float64": "FP64", "float32": "FP32", "bool": "BOOL", "object": "BYTES", "U": "BYTES",
}  # fmt: skip

_random = np.random.default_rng(0)
X = np.abs(_random.normal(size=(40, 4))) + 0.1
LABELS = np.arange(40) % 3
VALUES = X @ [1.0, 2.0, 3.0, 4.0]

# What a class cannot be made without.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "ColumnTransformer": {"transformers": [("p", PCA(2), [0, 1])], "remainder": "passthrough"},
    "FeatureUnion": {"transformer_list": [("p", PCA(2))]},
    "Pipeline": {"steps": [("p", PCA(2)), ("c", LogisticRegression())]},
    "GridSearchCV": {"estimator": LogisticRegression(), "param_grid": {"C": [1.0]}, "cv": 2},
    "RandomizedSearchCV": {
        "estimator": LogisticRegression(),
        "param_distributions": {"C": [1.0, 2.0]},
        "n_iter": 1,
        "cv": 2,
    },
    "HalvingGridSearchCV": {"estimator": LogisticRegression(), "param_grid": {"C": [1.0, 2.0]}, "cv": 2},
    "HalvingRandomSearchCV": {"estimator": LogisticRegression(), "param_distributions": {"C": [1.0, 2.0]}, "cv": 2},
    "StackingClassifier": {"estimators": [("a", LogisticRegression()), ("b", LogisticRegression(C=2.0))], "cv": 2},
    "VotingClassifier": {"estimators": [("a", LogisticRegression()), ("b", LogisticRegression(C=2.0))]},
    "StackingRegressor": {"estimators": [("a", Ridge()), ("b", Ridge(2.0))], "cv": 2},
    "VotingRegressor": {"estimators": [("a", Ridge()), ("b", Ridge(2.0))]},
    "SelfTrainingClassifier": {"estimator": LogisticRegression()},
    "TunedThresholdClassifierCV": {"estimator": LogisticRegression(), "cv": 2},
    "SequentialFeatureSelector": {"estimator": LogisticRegression(), "cv": 2},
    "RFECV": {"estimator": LogisticRegression(), "cv": 2},
    "TSNE": {"perplexity": 5, "max_iter": 250},
    "RandomForestClassifier": {"n_estimators": 5},
    "HistGradientBoostingClassifier": {"max_iter": 5},
    "GradientBoostingClassifier": {"n_estimators": 5},
    "SparseCoder": {"dictionary": X[:3]},
    "FrozenEstimator": {"estimator": LogisticRegression().fit(X, LABELS)},
    "GaussianRandomProjection": {"n_components": 2},
    "SparseRandomProjection": {"n_components": 2},
}
_TWO_CLASSES = {"FixedThresholdClassifier", "TunedThresholdClassifierCV"}
_TWO_TARGETS = {
    "ClassifierChain", "MultiOutputClassifier", "MultiOutputRegressor", "RegressorChain", "CCA", "PLSCanonical",
    "PLSSVD", "MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV",
}  # fmt: skip
_OTHER_ROWS: dict[str, Any] = {
    "IsotonicRegression": X[:, 0],
    "LabelEncoder": LABELS,
    "LabelBinarizer": LABELS,
    "MultiLabelBinarizer": [["a"], ["a", "b"]],
    "DictVectorizer": [{"a": 1}, {"b": 2}],
    "CountVectorizer": ["one text", "another text"],
    "TfidfVectorizer": ["one text", "another text"],
    "HashingVectorizer": ["one text", "another text"],
    "FeatureHasher": [{"a": 1}],
    "PatchExtractor": np.ones((2, 8, 8)),
    "KernelCenterer": X[:4, :4],
    "CategoricalNB": (X > 0.5).astype(int),
}


def estimator_names() -> list[str]:
    """Every estimator that this scikit-learn has."""
    return [name for name, _ in all_estimators()]


def fitted(name: str) -> tuple[Any, Any]:
    """The estimator of this name, fitted, and rows that it takes."""
    made = dict(all_estimators())[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some are about to leave scikit-learn
        try:
            model = made(**ARGUMENTS.get(name, {}))
        except TypeError:
            model = made(estimator=Ridge() if "Regressor" in name else LogisticRegression())
    rows = _OTHER_ROWS.get(name, X)
    regression = is_regressor(model)
    target = VALUES if regression else LABELS % 2 if name in _TWO_CLASSES else LABELS
    if name in _TWO_TARGETS:
        first = LABELS % 2 if name == "ClassifierChain" else LABELS  # a chain's probabilities are of two classes each
        numbers = regression or name == "PLSSVD"
        target = np.column_stack([VALUES, VALUES**2] if numbers else [first, LABELS % 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in ("LabelEncoder", "LabelBinarizer", "MultiLabelBinarizer"):
            return model.fit(rows), rows
        return model.fit(rows, target), rows


def inspected(model: Any, folder: Path, **options: Any) -> ModelInfo:
    """What inspect says of the model's pickle."""
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    return inspect(path, formats=[load("formats", "sklearn")()], **options)


def offered(model: Any) -> list[str]:
    """The methods that the fitted object really has; `kneighbors` only where it is the purpose of the class."""
    if type(model).__name__ == "NearestNeighbors":
        return ["kneighbors"]
    return [method for method in METHODS if hasattr(model, method)]


def true_task(model: Any) -> str | None:
    """What scikit-learn says the fitted object is for; a mixture of Gaussians is a clusterer to us."""
    if is_classifier(model):
        return "classifier"
    if is_regressor(model):
        return "regressor"
    if is_outlier_detector(model):
        return "outlier_detector"
    bases = {base.__name__ for base in type(model).__mro__}
    if "ClusterMixin" in bases or "BaseMixture" in bases:
        return "clusterer"
    return "transformer" if hasattr(model, "transform") or "TransformerMixin" in bases else None


def true_classes(model: Any) -> list[Any] | None:
    """The labels of a fitted object with one output."""
    labels = getattr(model, "classes_", None)
    return labels.tolist() if isinstance(labels, np.ndarray) else None


def assert_answers_as_declared(info: ModelInfo, model: Any, rows: Any) -> None:
    """Every signature's outputs have the number of arrays, the shape and the data type that the fitted object answers."""
    for signature in info.signatures:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = getattr(model, signature.method)(rows)
        arrays = answer if isinstance(answer, list) else [answer]
        assert len(signature.outputs) == len(arrays), signature
        for spec, array in zip(signature.outputs, arrays, strict=True):
            assert len(spec.shape) == array.ndim, (spec, array.shape)
            assert all(size in (-1, real) for size, real in zip(spec.shape, array.shape, strict=True)), (
                spec,
                array.shape,
            )
            assert spec.dtype == DTYPES.get(str(array.dtype), DTYPES.get(array.dtype.kind)), (spec, array.dtype)


def refuse_unservable(info: ModelInfo) -> None:
    """Raise the error of a build without any options, if the model needs an entry, a sample or a predictor."""
    need = unservable(info, cwd=Path())
    if need is not None:
        raise need.error
