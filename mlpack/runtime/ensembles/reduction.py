"""The reducer of a plan as an object: Reduction turns the members' outputs into the ensemble's."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

import numpy as np

from ..card import Signature
from ..errors import ModelFailedError
from ..models.predictor import Array, Arrays
from ..protocols.encoding.fitting import NUMPY
from . import plan as words
from .plan import Plan
from .reducers import (
    LABELS,
    PROBABILITIES,
    MemberOutputs,
    aligned,
    by_output,
    hard_vote,
    labels_of,
    mean,
    median,
    one_output,
    soft_vote,
    weights_of,
)

CustomReduce = Callable[[Dict[str, Arrays], Dict[str, float]], Mapping[str, Any]]  # `reduce` in the user's reduce.py


class MemberMisfitError(Exception):
    """A member's output does not fit those of the others; `member` is its name, `reason` says what is wrong."""

    def __init__(self, member: str, reason: str) -> None:
        super().__init__(f"{member}: {reason}")
        self.member = member
        self.reason = reason


class Reduction:
    """Computes the ensemble's outputs.

    `custom` is the function of the user's own reduce.py, for the reducer `custom`, and `signature` has its outputs.
    """

    def __init__(
        self, plan: Plan, custom: Optional[CustomReduce] = None, signature: Optional[Signature] = None
    ) -> None:
        self._plan = plan
        self._signature = signature
        self._labels = labels_of(plan.classes)
        self._weights = {member.name: member.weight for member in plan.members}
        self._custom = custom

    def prepared(self, member: str, outputs: Arrays) -> Arrays:
        """A member's outputs with its probabilities in the order of the ensemble's classes."""
        probabilities = outputs.get(PROBABILITIES)
        found = self._plan.member(member)
        if probabilities is None or found is None or not self._plan.classes:
            return outputs
        own = found.queries[PROBABILITIES].classes
        if own == self._plan.classes:
            return outputs
        return {**outputs, PROBABILITIES: aligned(probabilities, own, self._plan.classes)}

    def reduce(self, outputs: MemberOutputs, method: str) -> Arrays:
        """The outputs of the ensemble's method; `outputs` are prepared, and at least one member is there.

        Raises MemberMisfitError, ModelFailedError for the user's own code.
        """
        if self._custom is not None:
            return self._own_code(self._custom, outputs)
        reducer = self._plan.reducer
        if reducer in (words.MEAN, words.WEIGHTED_MEAN, words.MEDIAN):
            return self._numbers(outputs)
        if reducer == words.HARD_VOTE:
            return {LABELS: self._labels[self._hard_vote(outputs)]}
        weights = weights_of(list(outputs), self._weights) if reducer == words.SOFT_VOTE else None
        return self.from_probabilities(soft_vote(self._same_shape(outputs, PROBABILITIES), weights), method)

    def from_probabilities(self, probabilities: Array, method: str) -> Arrays:
        """What the method answers: the probabilities, or for each row the label of the largest, the first of equal ones."""
        if method == PROBABILITIES:
            return {PROBABILITIES: probabilities}
        return {LABELS: self._labels[probabilities.argmax(axis=1)]}

    def _numbers(self, outputs: MemberOutputs) -> Arrays:
        found: Arrays = {}
        for name in by_output(outputs):
            arrays = self._same_shape(outputs, name)
            if self._plan.reducer == words.MEDIAN:
                found[name] = median(arrays)
            else:
                weighted = self._plan.reducer == words.WEIGHTED_MEAN
                found[name] = mean(arrays, weights_of(list(outputs), self._weights) if weighted else None)
        return found

    def _hard_vote(self, outputs: MemberOutputs) -> Array:
        votes: List[Array] = one_output(outputs, LABELS)
        for member, labels in zip(outputs, votes):
            if labels.ndim != 1:
                raise MemberMisfitError(member, f"its labels have the shape {list(labels.shape)}; expected one a row")
        try:
            return hard_vote(votes, self._plan.classes, weights_of(list(outputs), self._weights))
        except ValueError as error:
            known = set(self._plan.classes)
            member = next(name for name, labels in zip(outputs, votes) if not set(labels.tolist()) <= known)
            raise MemberMisfitError(member, str(error)) from error

    def _same_shape(self, outputs: MemberOutputs, name: str) -> Sequence[Array]:
        """The members' arrays of this output, which have one shape; that of most members is taken for right."""
        for member, arrays in outputs.items():
            if name not in arrays or arrays[name].dtype.kind not in "biuf":
                raise MemberMisfitError(member, f"it has no output {name} of numbers")
        shapes = [arrays[name].shape for arrays in outputs.values()]
        usual = max(shapes, key=shapes.count)
        for member, shape in zip(outputs, shapes):
            if shape != usual:
                raise MemberMisfitError(member, f"its {name} has the shape {list(shape)}, that of others {list(usual)}")
        return one_output(outputs, name)

    def _own_code(self, custom: CustomReduce, outputs: MemberOutputs) -> Arrays:
        rows = len(next(iter(next(iter(outputs.values())).values())))
        try:
            returned = custom(dict(outputs), {name: self._weights[name] for name in outputs})
            found = {str(name): np.asarray(array) for name, array in returned.items()}
        except Exception as error:
            raise ModelFailedError("reduce.py failed on this request; the log has the trace") from error
        for name, array in found.items():
            if array.ndim == 0 or len(array) != rows:
                raise ModelFailedError(f"reduce.py returned {name} of the shape {list(array.shape)}, for {rows} rows")
        if self._signature is None or self._signature.raw:
            return {LABELS: _as_rows(found, rows)}
        declared = {spec.name: spec.dtype for spec in self._signature.outputs}
        if set(declared) != set(found):
            raise ModelFailedError(
                f"reduce.py returned {', '.join(found) or 'nothing'}; OUTPUTS has {', '.join(declared)}"
            )
        return {
            name: found[name].astype(NUMPY.get(dtype, np.dtype(object)), copy=False) for name, dtype in declared.items()
        }


def _as_rows(outputs: Arrays, rows: int) -> Array:
    """Any outputs as one array of JSON values: of one output its values, of several an object for each row."""
    columns = {name: array.tolist() for name, array in outputs.items()}
    values = (
        next(iter(columns.values()))
        if len(columns) == 1
        else [dict(zip(columns, row)) for row in zip(*columns.values())]
    )
    found = np.empty(rows, dtype=object)
    for place, value in enumerate(values):
        found[place] = value
    return found
