"""Facts about the training data in a fitted estimator: number and names of columns, classes, outputs."""

from __future__ import annotations

from typing import Any

from mlpack.artifacts.model import Scalar
from mlpack.formats.sklearn.boosters import boosted
from mlpack.formats.sklearn.estimators import (
    Estimator,
    any_instance,
    count_of,
    data_type,
    dates,
    scalar,
    sequence,
    shape,
)
from mlpack.formats.sklearn.kinds import LABELS, PASSTHROUGH, TEXT, UNSUPPORTED
from mlpack.formats.sklearn.likes import liked
from mlpack.formats.sklearn.methods import before, core, inner, members, steps, task
from mlpack.readers.counts import MOST_HASHED, MOST_OUTPUTS
from mlpack.readers.pickles.values import Array

# Where versions before 0.24 (which have no n_features_in_) keep the number of columns: attribute, axis of its shape.
_SHAPES = (
    ("coef_", -1), ("support_vectors_", 1), ("feature_count_", 1), ("theta_", 1), ("feature_log_prob_", 1), ("mean_", 0),
    ("scale_", 0), ("data_min_", 0), ("max_abs_", 0), ("center_", 0), ("components_", 1), ("cluster_centers_", 1),
    ("centroids_", 1), ("means_", 1), ("location_", 0), ("statistics_", 0), ("lambdas_", 0), ("quantiles_", 1),
    ("scores_", 0), ("variances_", 0), ("dictionary", 1), ("_fit_X", 1), ("X_train_", 1), ("X_fit_", 1), ("x_mean_", 0),
    ("ranking_", 0),
)  # fmt: skip
_COUNTS = ("n_features_in_", "n_features_", "n_features", "_n_features", "n_input_features_", "input_shape_")


def heads(model: Estimator) -> list[Any]:
    """The steps that a model's input reaches first, through pipelines, searches and ensembles."""
    found: list[Any] = []
    seen: set[int] = set()
    left: list[Any] = [model.instance]
    while left:
        value = left.pop()
        one = any_instance(value)
        if one is None or id(value) in seen:
            continue
        seen.add(id(value))
        below = _first_inside(one)
        found += [] if below else [value]
        left += reversed(below)
    return found


def _first_inside(model: Estimator) -> list[Any]:
    if model.name == "Pipeline":
        real = [step for _, step in steps(model) if step not in (*PASSTHROUGH, None)]
        # A FunctionTransformer without a function hands on what it got; a sampler only chose rows to train on.
        real = [step for step in real if not _identity(step)] or real
        return real[:1]
    if model.name == "FeatureUnion":
        pairs = sequence(model.get("transformer_list")) or []
        return [
            pair[1]
            for pair in pairs
            if isinstance(pair, list | tuple) and len(pair) > 1 and pair[1] not in (*PASSTHROUGH, None)
        ]
    if model.name.startswith(("Stacking", "Voting")):
        return members(model)[:20]
    below = inner(model) if model.kind is not None else None
    return [below] if any_instance(below) else []


def _identity(step: Any) -> bool:
    one = any_instance(step)
    sampler = one is not None and one.package == "imblearn" and one.get("sampling_strategy") is not None
    return one is not None and ((one.name == "FunctionTransformer" and one.get("func") is None) or sampler)


def feature_count(model: Estimator) -> int | None:
    """The number of columns; None when the file does not record it (text and dictionaries have none)."""
    for one in (model, *(Estimator(head) for head in heads(model))):
        if one.name in TEXT | UNSUPPORTED | LABELS:
            return None
        found = _own_count(one)
        if found is not None:
            return found
    return None


def _own_count(model: Estimator) -> int | None:
    found = boosted(model) or liked(model)
    if found is not None:
        return found.count
    for name in _COUNTS:
        count = model.attributes.get(name)
        if isinstance(count, int) and not isinstance(count, bool) and count > 0:
            return count
        if isinstance(count, list | tuple) and len(count) == 2 and count_of(count[1], MOST_HASHED):
            return int(count[1])  # feature_engine's (rows, columns)
    names = sequence(model.get("feature_names_in_"))
    if names:
        return len(names)
    support = model.get("shape_fit_")
    if isinstance(support, tuple) and len(support) == 2 and count_of(support[1], MOST_HASHED):
        return int(support[1])
    return 1 if model.name == "IsotonicRegression" else _count_by_shape(model)


def _count_by_shape(model: Estimator) -> int | None:
    layers = sequence(model.get("coefs_"))
    if layers:
        return (shape(layers[0]) or (None,))[0]
    for name, axis in _SHAPES:
        size = shape(model.get(name))
        if size and len(size) > max(axis, 0) and size[axis]:
            return size[axis]
    categories = sequence(model.get("categories_"))
    return len(categories) if categories else None


def feature_names(model: Estimator) -> tuple[str, ...]:
    """The column names that the model was trained with, () when it saw none."""
    for one in (model, *(Estimator(head) for head in heads(model))):
        # The two others are ColumnTransformer's own before 1.0.
        names = sequence(one.get("feature_names_in_", "_feature_names_in", "_df_columns"))
        if names is None and one.package == "lightgbm":
            names = sequence(one.get("_feature_name"))
        if names is None and (booster := boosted(one)) is not None:
            names = list(booster.names)
        if names is None and (like := liked(one)) is not None:
            names = list(like.names)
        if names and all(isinstance(name, str) for name in names):
            return tuple(names)
    return ()


def class_labels(model: Estimator) -> list[Any]:
    """A classifier's arrays of labels, one for each output; [] when it has none or they were not kept."""
    answering = core(model)
    binarizer = any_instance(answering.get("label_binarizer_", "_label_binarizer"))
    held = answering.get("classes_", "_classes") or (binarizer.get("classes_") if binarizer else None)
    if held is None and (encoder := any_instance(answering.get("_le"))):
        held = encoder.get("classes_")
    if held is None and (booster := boosted(answering)) is not None and booster.estimator and booster.classes:
        return [list(booster.classes)]
    if isinstance(held, list | tuple):
        arrays = [one for one in held if isinstance(one, Array)]
        return arrays or [list(held)]
    if (
        held is None
        and answering.package == "xgboost"
        and (count := count_of(answering.get("n_classes_"), MOST_OUTPUTS))
    ):
        return [list(range(count))]  # XGBClassifier's labels are 0..n-1 and not in its state
    return [] if held is None else [held]


def classes(model: Estimator) -> tuple[Scalar, ...] | None:
    """The labels of a classifier with one output, in the order of its probabilities."""
    labels = class_labels(model)
    if len(labels) != 1 or multilabel(model):
        return None
    values = dates(labels[0]) or sequence(labels[0])
    return None if values is None else tuple(scalar(value) for value in values)


def class_type(model: Estimator) -> str:
    """The V2 data type of the labels; INT64 when the file does not keep them."""
    kinds = {data_type(labels) for labels in class_labels(model)}
    if len(kinds) == 1:
        return kinds.pop()
    return "BYTES" if "BYTES" in kinds else "INT64"


def multilabel(model: Estimator) -> bool:
    """True when a classifier answers one 0 or 1 for each label."""
    binarizer = any_instance(core(model).get("label_binarizer_", "_label_binarizer"))
    return binarizer is not None and str(binarizer.get("y_type_")).startswith("multilabel")


def output_count(model: Estimator) -> int:
    """How many values one row gets: 0 for a single value (1-D answers), else the second axis of a 2-D answer."""
    answering = core(model)
    if multilabel(model):
        return len(sequence(class_labels(model)[0]) or []) if class_labels(model) else -1
    if len(class_labels(model)) > 1:
        return len(class_labels(model))
    if answering.name in ("MultiOutputRegressor", "RegressorChain", "ClassifierChain", "MultiOutputClassifier"):
        return len(members(answering)) or -1
    if answering.name == "TransformedTargetRegressor":
        below = any_instance(answering.get("regressor_"))
        squeezed = answering.get("_training_dim") == 1
        if squeezed or below is None or below.instance is model.instance:
            return 0
        return output_count(below) or 1  # of a target in one column the transformer gives one column back
    if answering.name in ("RANSACRegressor", "BaggingRegressor"):
        below = any_instance(inner(answering))
        return output_count(below) if below and below.instance is not answering.instance else 0
    return 0 if class_labels(model) else _regression_outputs(answering)


def _regression_outputs(model: Estimator) -> int:
    if (booster := boosted(model)) is not None:
        return booster.width
    if (like := liked(model)) is not None:
        return like.width
    if model.get("_predict_1d") is True or model.name in ("SVR", "NuSVR", "SGDRegressor", "LinearSVR"):
        return 0
    count = count_of(model.get("n_outputs_"), MOST_OUTPUTS)
    if count is not None:
        return count if count > 1 else 0
    if model.name in ("PLSRegression", "PLSCanonical", "CCA"):
        return (shape(model.get("coef_", "_coef_")) or (-1,))[0]
    for name in ("coef_", "dual_coef_", "_y", "y_train_"):
        size = shape(model.get(name))
        if size:
            flat = name == "_y" and model.get("outputs_2d_") is False
            flat = flat or (model.name == "GaussianProcessRegressor" and not before(model, (1, 1)))
            wide = len(size) == 2 and not (flat and size[1] == 1)
            return (size[0] if name == "coef_" else size[1]) if wide else 0
    return 0


def answers_anything(model: Estimator) -> bool:
    """Whether a class of no known package answers, and nothing in the file tells what: numbers, texts, dictionaries."""
    answering = core(model)
    stated = task(model) == "regressor" or bool(class_labels(model))
    return answering.kind is None and boosted(answering) is None and not answering.own and not stated
