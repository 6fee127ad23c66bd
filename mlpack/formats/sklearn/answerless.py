"""Fitted estimators that cannot predict new rows: the reason in one line, and what to do instead."""

from __future__ import annotations

from mlpack.formats.sklearn.estimators import Estimator
from mlpack.formats.sklearn.methods import core
from mlpack.formats.sklearn.signatures import UNFITTED, Inputs, never_fitted

_LABELS = "DBSCAN OPTICS HDBSCAN AgglomerativeClustering SpectralClustering SpectralBiclustering SpectralCoclustering"
_PLACES = "TSNE MDS ClassicalMDS SpectralEmbedding"
_COVARIANCES = "EmpiricalCovariance GraphicalLasso GraphicalLassoCV LedoitWolf MinCovDet OAS ShrunkCovariance"
_REASONS = {
    **dict.fromkeys(
        _LABELS.split(),
        (
            "only labels the rows that it was fitted on, and has no method to predict new rows",
            "Fit a classifier on its labels, such as `KNeighborsClassifier().fit(X, model.labels_)`, and save that.",
        ),
    ),
    **dict.fromkeys(
        _PLACES.split(),
        (
            "only embeds the rows that it was fitted on, and has no method to predict new rows",
            "Save a transformer that has `transform`, such as PCA or UMAP.",
        ),
    ),
    **dict.fromkeys(
        _COVARIANCES.split(),
        ("estimates a covariance, and predicts nothing", "Save a model that uses it, such as EllipticEnvelope."),
    ),
    "LocalOutlierFactor": (
        "only judges the rows that it was fitted on, because it was made with `novelty=False`",
        "Fit it with `novelty=True`, and save it again.",
    ),
}


def no_inputs(model: Estimator) -> Inputs:
    """The inputs of an estimator without a method: none, with the reason and the advice."""
    if model.get("steps") is None and never_fitted(model):
        return Inputs(problem=UNFITTED)
    answering = core(model)
    if answering.own and answering.name in _REASONS:
        reason, advice = _REASONS[answering.name]
        return Inputs(problem=f"{answering.name} {reason}", advice=advice)
    return Inputs(problem="it has no method to predict new rows")
