"""Reducers: how the outputs of an ensemble's members become one answer. All of them compute on whole arrays."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ..models.predictor import Array, Arrays

MemberOutputs = Mapping[str, Arrays]  # by member, in the order of the ensemble's members
Weights = Mapping[str, float]  # by member

LABELS = "predict"
PROBABILITIES = "predict_proba"


def mean(arrays: Sequence[Array], weights: Optional[Sequence[float]] = None) -> Array:
    """The (weighted) mean, element by element, of arrays of one shape; as `numpy.average` over a new first axis."""
    averaged: Array = np.average(np.stack(arrays), axis=0, weights=weights)
    return averaged


def median(arrays: Sequence[Array]) -> Array:
    """The median, element by element, of arrays of one shape; as `numpy.median` over a new first axis."""
    found: Array = np.median(np.stack(arrays), axis=0)
    return found


def aligned(probabilities: Array, own: Sequence[Any], classes: Sequence[Any]) -> Array:
    """A member's probabilities `[n, len(own)]` as columns of `classes`; a class that the member does not know has 0."""
    found = np.zeros((len(probabilities), len(classes)), dtype=np.result_type(probabilities.dtype, np.float32))
    places = {label: place for place, label in enumerate(classes)}
    found[:, [places[label] for label in own]] = probabilities
    return found


def labels_of(classes: Sequence[Any]) -> Array:
    """The class labels as an array: numbers and booleans in numpy's own dtype, texts and mixtures as objects."""
    labels = np.asarray(classes) if len({type(label) for label in classes}) == 1 else np.empty(0, dtype=object)
    if labels.dtype.kind in "biuf":
        return labels
    texts = np.empty(len(classes), dtype=object)
    texts[:] = list(classes)
    return texts


def soft_vote(probabilities: Sequence[Array], weights: Optional[Sequence[float]] = None) -> Array:
    """The weighted mean of aligned probabilities `[n, k]`; its rows add up to 1 where those of the members do."""
    return mean(probabilities, weights)


def hard_vote(votes: Sequence[Array], classes: Sequence[Any], weights: Optional[Sequence[float]] = None) -> Array:
    """For each row the place in `classes` of the label with the largest sum of weights.

    Of labels with equal sums the one with the largest single weight wins, then the one that is earlier in `classes`.
    `votes` are arrays `[n]` of labels, one for each member. Raises ValueError for a label that is not in `classes`.
    """
    places = {label: place for place, label in enumerate(classes)}
    given = [1.0] * len(votes) if weights is None else [float(weight) for weight in weights]
    rows = len(votes[0])
    sums = np.zeros((rows, len(classes)))
    largest = np.zeros((rows, len(classes)))
    every = np.arange(rows)
    for labels, weight in zip(votes, given):
        chosen = _places(labels, places)
        sums[every, chosen] += weight
        largest[every, chosen] = np.maximum(largest[every, chosen], weight)
    # sums of the same weights in another order differ in their last bits
    tied = sums >= sums.max(axis=1, keepdims=True) * (1 - 1e-12)
    winner: Array = np.where(tied, largest, -1.0).argmax(axis=1)
    return winner


def stacked(outputs: MemberOutputs) -> Array:
    """All outputs side by side as `[n, columns]`: by member, by output, then by the output's own columns, each in its order."""
    columns: List[Array] = [array.reshape(len(array), -1) for arrays in outputs.values() for array in arrays.values()]
    joined: Array = np.concatenate(columns, axis=1).astype(np.float64)
    return joined


def confident(probabilities: Array, threshold: float) -> Array:
    """For each row whether its top probability reaches the threshold: a cascade ends there."""
    found: Array = probabilities.max(axis=1) >= threshold
    return found


def weights_of(names: Sequence[str], weights: Weights) -> Optional[List[float]]:
    """The weights of the members that answered, or None where they are equal.

    numpy divides by their sum, so the weights of absent members need no other treatment.
    """
    found = [weights[name] for name in names]
    return None if len(set(found)) == 1 else found


def one_output(outputs: MemberOutputs, name: str) -> List[Array]:
    """The output of this name of each member."""
    return [arrays[name] for arrays in outputs.values()]


def by_output(outputs: MemberOutputs) -> Dict[str, List[Array]]:
    """For each output, by the names of the first member, the arrays of all members."""
    names = next(iter(outputs.values())).keys()
    return {name: one_output(outputs, name) for name in names}


def _places(labels: Array, places: Mapping[Any, int]) -> Array:
    try:
        return np.array([places[label] for label in labels.tolist()], dtype=np.intp)
    except (KeyError, TypeError) as error:
        unknown = next(label for label in labels.tolist() if not _known(label, places))
        raise ValueError(f"the label {unknown!r} is none of the ensemble's classes") from error


def _known(label: Any, places: Mapping[Any, int]) -> bool:
    try:
        return label in places
    except TypeError:
        return False


def classes_of(members: Sequence[Tuple[str, Sequence[Any]]]) -> Tuple[Any, ...]:
    """The classes of an ensemble: those of its first member, then those that only later members know, in their order."""
    return tuple(dict.fromkeys(label for _, classes in members for label in classes))
