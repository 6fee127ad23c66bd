"""The reducers that `mlpack ensemble test` computes on lists give what those of the serving runtime give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlpack.ensembles.reference import reduced
from mlpack.runtime.ensembles.plan import Plan
from mlpack.runtime.ensembles.reducers import confident
from mlpack.runtime.ensembles.reduction import Reduction

CLASSES = ["no", "maybe", "yes"]
INPUT = {"name": "input", "dtype": "FP64", "shape": [-1, 4]}
ROWS = 40


def plan(reducer: str, output: str, **more: Any) -> dict[str, Any]:
    """Three members of different weights; the last knows two of the classes, in another order."""
    own = [CLASSES, CLASSES, ["yes", "no"]]
    members = [
        {
            "name": f"m{number}", "url": "http://m", "model": "m", "version": "", "contract": "v2", "weight": weight,
            "queries": {output: {"method": output, "inputs": [INPUT], "output": output, "classes": own[number] if output == "predict_proba" else []}},
        }
        for number, weight in enumerate((1.0, 2.5, 0.5))
    ]  # fmt: skip
    return {
        "reducer": reducer,
        "classes": [] if reducer in ("mean", "weighted_mean", "median") else CLASSES,
        "members": members,
        **more,
    }


def outputs(reducer: str, seed: int) -> dict[str, dict[str, Any]]:
    """What the members answer: probabilities, labels or numbers, some of them equal."""
    rng = np.random.default_rng(seed)
    if reducer in ("soft_vote", "cascade"):
        return {f"m{n}": {"predict_proba": rng.dirichlet(np.ones(2 if n == 2 else 3), ROWS)} for n in range(3)}
    if reducer == "hard_vote":
        return {f"m{n}": {"predict": np.array(CLASSES, dtype=object)[rng.integers(0, 3, ROWS)]} for n in range(3)}
    return {f"m{n}": {"predict": rng.normal(size=(ROWS, 2)).round(1)} for n in range(3)}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("reducer", ["soft_vote", "hard_vote", "mean", "weighted_mean", "median"])
def test_both_give_the_same(reducer: str, seed: int) -> None:
    """With all members, and without the one in the middle."""
    document = plan(reducer, "predict_proba" if reducer == "soft_vote" else "predict")
    reduction, given = Reduction(Plan.from_json(document)), outputs(reducer, seed)
    for names in (("m0", "m1", "m2"), ("m0", "m2")):
        some = {name: given[name] for name in names}
        prepared = {name: reduction.prepared(name, some[name]) for name in names}
        wanted = reduction.reduce(prepared, "predict")["predict"].tolist()
        lists = {name: {key: array.tolist() for key, array in one.items()} for name, one in some.items()}
        found = reduced(document, lists)
        assert found == (wanted if isinstance(wanted[0], str) else [pytest.approx(row) for row in wanted])


def test_a_cascade_ends_at_the_first_certain_member() -> None:
    """The first row whose top probability reaches the threshold counts, else that of the last member."""
    document = plan("cascade", "predict_proba", threshold=0.7)
    reduction, given = Reduction(Plan.from_json(document)), outputs("cascade", 7)
    arrays = [reduction.prepared(name, one)["predict_proba"] for name, one in given.items()]
    wanted = arrays[2].copy()
    for array in (arrays[1], arrays[0]):
        sure = confident(array, 0.7)
        wanted[sure] = array[sure]
    labels = [CLASSES[place] for place in wanted.argmax(axis=1)]
    lists = {name: {key: array.tolist() for key, array in one.items()} for name, one in given.items()}
    assert reduced(document, lists) == labels


def test_other_reducers_are_not_computed_here() -> None:
    """The answers of a stack and of the user's own code come from elsewhere."""
    with pytest.raises(ValueError, match="stack is not computed here"):
        reduced(plan("stack", "predict"), {"m0": {"predict": [1]}})
