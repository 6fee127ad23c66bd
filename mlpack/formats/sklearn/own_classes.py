"""Estimators of the user's own classes: the signatures among which the source of the class chooses."""

from __future__ import annotations

from mlpack.artifacts.model import OwnClass
from mlpack.formats.sklearn.estimators import Estimator
from mlpack.formats.sklearn.kinds import METHODS
from mlpack.formats.sklearn.methods import core
from mlpack.formats.sklearn.signatures import Inputs, signatures_of


def own_class_of(model: Estimator | None, inputs: Inputs, *, batchable: bool) -> OwnClass | None:
    """The class that answers, with a signature for each method; None for a class of a known package."""
    if model is None or core(model).kind is not None or core(model).own:
        return None
    return OwnClass(name=core(model).path, signatures=signatures_of(model, METHODS, inputs, batchable=batchable))
