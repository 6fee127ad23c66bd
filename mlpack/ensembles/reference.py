"""The reducers once more, on plain lists: what `mlpack ensemble test` compares the coordinator's answers with.

They share no code with the serving runtime, so that a fault there is seen.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from mlpack.ensembles.facts import LABELS, PROBABILITIES

# A member's outputs by name; each is a list with one value a row.
Outputs = Mapping[str, Sequence[Any]]


def reduced(plan: Mapping[str, Any], outputs: Mapping[str, Outputs]) -> list[Any]:
    """The labels or values that the ensemble answers for the outputs of its members, by name, in the plan's order.

    The plan is that of the coordinator. Raises ValueError for the reducers `stack` and `custom`, whose answers come from
    elsewhere.
    """
    reducer, classes = plan["reducer"], plan["classes"]
    weights = [one["weight"] for one in plan["members"] if one["name"] in outputs]
    if reducer in ("soft_vote", "cascade"):
        aligned = {
            one["name"]: _aligned(
                outputs[one["name"]][PROBABILITIES], one["queries"][PROBABILITIES]["classes"], classes
            )
            for one in plan["members"]
            if one["name"] in outputs
        }
        if reducer == "cascade":
            rows = [_cascade(row, plan["threshold"]) for row in zip(*aligned.values(), strict=True)]
        else:
            rows = [_mean(row, weights) for row in zip(*aligned.values(), strict=True)]
        return [classes[row.index(max(row))] for row in rows]  # the first of equal ones
    answers = [member[LABELS] for member in outputs.values()]
    if reducer == "hard_vote":
        return [_vote(votes, weights, classes) for votes in zip(*answers, strict=True)]
    if reducer == "median":
        return [_median(values) for values in zip(*answers, strict=True)]
    if reducer in ("mean", "weighted_mean"):
        given = weights if reducer == "weighted_mean" else [1.0] * len(answers)
        return [_mean(values, given) for values in zip(*answers, strict=True)]
    raise ValueError(f"{reducer} is not computed here")


def _aligned(rows: Sequence[Sequence[float]], own: Sequence[Any], classes: Sequence[Any]) -> list[list[float]]:
    """Probabilities in the order of the ensemble's classes; 0 for a class that the member does not know."""
    return [[row[own.index(label)] if label in own else 0.0 for label in classes] for row in rows]


def _mean(values: Sequence[Any], weights: Sequence[float]) -> Any:
    """The weighted mean of numbers, or of nested lists element by element."""
    if isinstance(values[0], list):
        return [_mean(inner, weights) for inner in zip(*values, strict=True)]
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / sum(weights)


def _median(values: Sequence[Any]) -> Any:
    if isinstance(values[0], list):
        return [_median(inner) for inner in zip(*values, strict=True)]
    return statistics.median(values)


def _vote(votes: Sequence[Any], weights: Sequence[float], classes: Sequence[Any]) -> Any:
    """The label with the largest sum of weights; of equal ones that with the largest weight, then the earlier class."""

    def rank(label: Any) -> tuple[float, float, int]:
        own = [weight for vote, weight in zip(votes, weights, strict=True) if vote == label]
        return round(sum(own), 9), max(own, default=-1.0), -classes.index(label)

    return max(classes, key=rank)


def _cascade(rows: Sequence[Sequence[float]], threshold: float) -> Sequence[float]:
    """The probabilities of the first member that is certain enough, else of the last."""
    return next((row for row in rows if max(row) >= threshold), rows[-1])
