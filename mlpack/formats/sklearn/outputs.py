"""The output tensors of each method of an estimator."""

from __future__ import annotations

from mlpack.artifacts.model import TensorSpec
from mlpack.formats.sklearn.boosters import boosted
from mlpack.formats.sklearn.columns import columns_of
from mlpack.formats.sklearn.estimators import Estimator, count_of, sequence, shape
from mlpack.formats.sklearn.features import (
    class_labels,
    class_type,
    feature_count,
    multilabel,
    output_count,
)
from mlpack.formats.sklearn.kinds import TEXT
from mlpack.formats.sklearn.methods import core, task
from mlpack.readers.counts import MOST_OUTPUTS

_INT32_LABELS = frozenset({"KMeans", "MiniBatchKMeans", "BisectingKMeans", "SGDOneClassSVM"})
_INT_TRANSFORMS = {
    "CountVectorizer": "INT64",
    "LabelEncoder": "INT64",
    "LabelBinarizer": "INT64",
    "MissingIndicator": "BOOL",
}
_SAME_WIDTH = frozenset({
    "StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "Normalizer", "Binarizer", "OrdinalEncoder",
    "PowerTransformer", "QuantileTransformer",
})  # fmt: skip


def outputs_of(model: Estimator, method: str) -> tuple[TensorSpec, ...]:
    """The outputs of one method; the first one is the prediction."""
    booster = boosted(core(model))
    if method == "predict" and booster is not None and not booster.estimator:
        return (TensorSpec(name=method, dtype=booster.dtype, shape=(-1, booster.width) if booster.width else (-1,)),)
    if method == "predict":
        width = output_count(model) if task(model) in ("classifier", "regressor") else 0
        return (TensorSpec(name=method, dtype=_label_type(model), shape=(-1, width) if width else (-1,)),)
    if method == "predict_proba":
        return _probabilities(model)
    if method == "decision_function":
        return (TensorSpec(name=method, dtype="FP64", shape=_decision_shape(model)),)
    if method == "transform":
        return (_transformed(model),)
    if method == "kneighbors":
        return (
            TensorSpec(
                name="indices", dtype="INT64", shape=(-1, count_of(model.get("n_neighbors"), MOST_OUTPUTS) or -1)
            ),
        )
    return (TensorSpec(name=method, dtype="FP64", shape=(-1,)),)


def _label_type(model: Estimator) -> str:
    answering = core(model)
    if answering.name == "ClassifierChain":
        return "FP64"  # a chain writes its members' answers into one array of floats
    if task(model) == "classifier":
        return "INT64" if multilabel(model) else class_type(model)
    if answering.name in _INT32_LABELS:
        return "INT32"
    if task(model) == "regressor" and answering.package == "xgboost":
        return "FP32"
    return "FP64" if task(model) == "regressor" else "INT64"


def _probabilities(model: Estimator) -> tuple[TensorSpec, ...]:
    labels = class_labels(model)
    if len(labels) > 1 and core(model).name != "ClassifierChain":
        # Several outputs: scikit-learn answers a list of arrays, one for each.
        return tuple(
            TensorSpec(name=f"predict_proba_{place}", dtype="FP64", shape=(-1, _length(one)))
            for place, one in enumerate(labels)
        )
    if core(model).package == "pyod":
        return (TensorSpec(name="predict_proba", dtype="FP64", shape=(-1, 2)),)
    if core(model).name.endswith("GaussianMixture"):
        width = count_of(core(model).get("n_components"), MOST_OUTPUTS) or -1
        return (TensorSpec(name="predict_proba", dtype="FP64", shape=(-1, width)),)
    width = len(labels) if len(labels) > 1 else _length(labels[0]) if labels else -1
    dtype = "FP32" if core(model).package == "xgboost" else "FP64"
    return (TensorSpec(name="predict_proba", dtype=dtype, shape=(-1, width)),)


def _length(labels: object) -> int:
    values = sequence(labels)
    return (shape(labels) or (-1,))[0] if values is None else len(values)


def _decision_shape(model: Estimator) -> tuple[int, ...]:
    if task(model) != "classifier":
        return (-1,)
    answering = core(model)
    labels = class_labels(model)
    if len(labels) > 1 or multilabel(model):
        return (-1, output_count(model))
    count = _length(labels[0]) if labels else -1
    if count in (1, 2):
        return (-1,)
    if answering.name in ("SVC", "NuSVC") and answering.get("decision_function_shape") == "ovo":
        return (-1, count * (count - 1) // 2)
    return (-1, count)


def _transformed(model: Estimator) -> TensorSpec:
    answering = core(model)
    dtype = _INT_TRANSFORMS.get(answering.name, "FP64")
    if answering.name in ("LabelEncoder", "IsotonicRegression"):
        return TensorSpec(name="transform", dtype=dtype, shape=(-1,))
    width = -1
    if answering.name in _SAME_WIDTH:
        width = feature_count(answering) or -1
    elif answering.name == "DictVectorizer":
        width = len(sequence(answering.get("feature_names_")) or ()) or -1
    elif answering.name in TEXT and isinstance(words := answering.get("vocabulary_"), dict):
        width = len(words)
    elif shape(answering.get("components_")):
        width = shape(answering.get("components_"))[0]
    elif answering.name in ("KMeans", "MiniBatchKMeans"):
        width = (shape(answering.get("cluster_centers_")) or (-1,))[0]
    if answering.name == "SimpleImputer" and any(
        column.dtype == "BYTES" for column in columns_of(answering.instance, ["x"])
    ):
        dtype = "BYTES"
    return TensorSpec(name="transform", dtype=dtype, shape=(-1, width))
