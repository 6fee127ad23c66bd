"""How many columns a fitted transformer gives, where the file tells."""

from __future__ import annotations

import math
from typing import Any

from mlpack.formats.sklearn.estimators import Estimator, estimator, sequence
from mlpack.formats.sklearn.features import feature_count
from mlpack.formats.sklearn.kinds import PASSTHROUGH
from mlpack.formats.sklearn.methods import steps
from mlpack.formats.sklearn.outputs import outputs_of

_RECORDED = ("n_output_features_", "n_features_out_")  # PolynomialFeatures, SplineTransformer
_SAME = frozenset({"TfidfTransformer", "KernelCenterer"})


def width_of(one: Estimator) -> int | None:
    """The number of columns that it gives; None for classes that do not record it."""
    if one.name == "Pipeline":
        real = [found for _, step in steps(one) if step not in (*PASSTHROUGH, None) and (found := estimator(step))]
        return width_of(real[-1]) if real else None
    if one.name == "ColumnTransformer":
        return _last(one.get("output_indices_"))
    if one.name == "FeatureUnion":
        pairs = sequence(one.get("transformer_list")) or []
        inside = [estimator(pair[1]) for pair in pairs if isinstance(pair, tuple | list) and len(pair) > 1]
        widths = [width_of(found) if found else None for found in inside]
        return None if None in widths else sum(filter(None, widths))
    return _whole(one.get(*_RECORDED)) or _by_class(one)


def _by_class(one: Estimator) -> int | None:
    if one.name == "OneHotEncoder":
        return _one_hot(one)
    if one.name == "SimpleImputer" and one.get("add_indicator") is not True:
        found = sequence(one.get("statistics_")) or []
        gone = any(value is None or (isinstance(value, float) and math.isnan(value)) for value in found)
        return None if gone else len(found) or None
    if one.name == "KNNImputer" and one.get("add_indicator") is not True:
        valid = sequence(one.get("_valid_mask")) or []
        return len(valid) or None if all(value is True for value in valid) else None
    if one.name in ("HashingVectorizer", "FeatureHasher"):
        return _whole(one.get("n_features"))
    if one.name == "SelectKBest":
        return _whole(one.get("k"))
    if one.name in ("RFE", "RFECV"):
        return _whole(one.get("n_features_"))
    if one.name in _SAME:
        return feature_count(one)
    (spec,) = outputs_of(one, "transform")
    width = spec.shape[1] if len(spec.shape) == 2 else None
    return width if isinstance(width, int) and width > 0 else None


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _one_hot(one: Estimator) -> int | None:
    known = sequence(one.get("_n_features_outs"))
    if known and all(isinstance(count, int) for count in known):
        return sum(map(int, known))
    lists = [sequence(values) for values in sequence(one.get("categories_")) or []]
    plain = one.get("drop") is None and one.get("min_frequency") is None and one.get("max_categories") is None
    return sum(map(len, filter(None, lists))) if plain and lists and None not in lists else None


def _last(indices: Any) -> int | None:
    """The end of the last slice of a ColumnTransformer's output."""
    slices = list(indices.values()) if isinstance(indices, dict) else []
    ends = [one.args[1] for one in slices if len(getattr(one, "args", ())) == 3]
    known = [end for end in ends if isinstance(end, int)]
    return max(known) if known and len(known) == len(slices) else None
