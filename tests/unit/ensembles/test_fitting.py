"""Members that fit each other give a plan; those that do not are an error that shows both sides."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlpack.artifacts.model import Signature, TensorSpec
from mlpack.ensembles.facts import MemberFacts
from mlpack.ensembles.file import EnsembleFile, MemberEntry
from mlpack.ensembles.fitting import Fitted, fit
from mlpack.errors import UsageError
from mlpack.runtime.ensembles.plan import Plan


def matrix(width: int = 4, dtype: str = "FP64") -> tuple[TensorSpec, ...]:
    return (TensorSpec(name="input", dtype=dtype, shape=(-1, width)),)


def columns(*names: str, dtype: str = "FP64") -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name=name, dtype=dtype, shape=(-1,)) for name in names)


def classifier(
    name: str, inputs: tuple[TensorSpec, ...] = (), classes: tuple[Any, ...] = (0, 1), **entry: Any
) -> MemberFacts:
    """A member with labels and probabilities."""
    taken = inputs or matrix()
    layout: Any = "matrix" if len(taken[0].shape) == 2 else "columns"
    common: dict[str, Any] = {"inputs": taken, "layout": layout, "classes": classes, "batchable": True}
    labels = TensorSpec(name="predict", dtype="INT64", shape=(-1,))
    probabilities = TensorSpec(name="predict_proba", dtype="FP64", shape=(-1, len(classes)))
    return MemberFacts(
        entry=MemberEntry(name=name, image="i", **entry),
        signatures=(
            Signature(name="predict", method="predict", outputs=(labels,), **common),
            Signature(name="predict_proba", method="predict_proba", outputs=(probabilities,), **common),
        ),
        url=f"http://{name}:8080",
        model=f"e-{name}",
    )


def regressor(name: str, inputs: tuple[TensorSpec, ...] = (), output: str = "FP64") -> MemberFacts:
    """A member with numbers."""
    taken = inputs or matrix()
    layout: Any = "matrix" if len(taken[0].shape) == 2 else "columns"
    outputs = (TensorSpec(name="predict", dtype=output, shape=(-1,)),)
    signature = Signature(name="predict", method="predict", inputs=taken, outputs=outputs, layout=layout)
    return MemberFacts(entry=MemberEntry(name=name, image="i"), signatures=(signature,), url="http://a", model="m")


def fitted(reduce: str, *members: MemberFacts, **more: Any) -> Fitted:
    """The ensemble of these members; its plan can be read by the runtime."""
    ensemble = EnsembleFile(
        name="e", reduce=reduce, members=tuple(one.entry for one in members), file=Path("ensemble.yaml"), **more
    )
    found = fit(ensemble, members)
    Plan.from_json(found.plan)
    return found


def test_a_soft_vote_has_labels_and_probabilities() -> None:
    """Of all classes, in the order of the first member; each member is asked in its own order."""
    found = fitted("soft_vote", classifier("a", classes=("x", "y")), classifier("b", classes=("z", "x")))
    assert [(one.name, one.classes) for one in found.signatures] == [
        ("predict", ("x", "y", "z")),
        ("predict_proba", ("x", "y", "z")),
    ]
    assert found.signatures[0].outputs[0].dtype == "BYTES"
    assert found.signatures[1].outputs[0].shape == (-1, 3)
    assert [one["queries"]["predict_proba"]["classes"] for one in found.plan["members"]] == [["x", "y"], ["z", "x"]]


def test_a_hard_vote_needs_labels_only() -> None:
    """It offers no probabilities."""
    found = fitted("hard_vote", classifier("a"), classifier("b"))
    assert [one.name for one in found.signatures] == ["predict"]
    assert list(found.plan["members"][0]["queries"]) == ["predict"]


def test_columns_lead_and_a_matrix_follows() -> None:
    """The ensemble takes the named columns, in the widest dtype."""
    named = columns("p", "q", dtype="FP32")
    found = fitted("mean", regressor("m", matrix(2, "FP64")), regressor("c", named), regressor("d", columns("q", "p")))
    assert [(one.name, one.dtype) for one in found.signatures[0].inputs] == [("p", "FP64"), ("q", "FP64")]
    places = [[one["name"] for one in member["queries"]["predict"]["inputs"]] for member in found.plan["members"]]
    assert places == [["input"], ["p", "q"], ["q", "p"]]
    assert [one["queries"]["predict"]["order"] for one in found.plan["members"]] == [[], [], [1, 0]]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ((regressor("a"), regressor("b", matrix(5))), ("a has input FP64 [-1, 4]", "b has input FP64 [-1, 5]")),
        ((regressor("a", columns("p", "q")), regressor("b", columns("p", "r"))), ("p, q", "p, r")),
        ((regressor("a", columns("p", "q")), regressor("b", columns("p", "q", dtype="BYTES"))), ("FP64", "BYTES")),
        ((regressor("a", matrix(2)), regressor("b", columns("p", "q", dtype="BYTES"))), ("p, q", "input FP64")),
    ],
)
def test_other_rows_do_not_fit(members: tuple[MemberFacts, ...], words: tuple[str, ...]) -> None:
    """Both sides are shown."""
    with pytest.raises(UsageError, match="do not fit") as failed:
        fitted("mean", *members)
    for word in words:
        assert word in failed.value.message


def test_classes_that_share_none_do_not_fit() -> None:
    """With both lists."""
    with pytest.raises(UsageError, match=r"\[0, 1\].*\['no', 'yes'\]"):
        fitted("soft_vote", classifier("a"), classifier("b", classes=("no", "yes")))


def test_a_member_of_another_task_does_not_fit() -> None:
    """Numbers have no classes, and texts no mean."""
    with pytest.raises(UsageError, match="the member b has no classes"):
        fitted("soft_vote", classifier("a"), regressor("b"))
    with pytest.raises(UsageError, match="the member b answers texts"):
        fitted("mean", regressor("a"), regressor("b", output="BYTES"))


def test_a_member_without_probabilities_does_not_vote_softly() -> None:
    """The hint names hard_vote."""
    whole = classifier("b")
    labels = MemberFacts(entry=whole.entry, signatures=whole.signatures[:1], url="http://b", model="m")
    with pytest.raises(UsageError, match="gives no probabilities") as failed:
        fitted("soft_vote", classifier("a"), labels)
    assert "hard_vote" in failed.value.hint


def test_a_meta_model_takes_the_members_columns() -> None:
    """All probabilities, by member and class; its own methods are the ensemble's."""
    base = (classifier("a"), classifier("b", classes=(0, 1, 2)))
    meta = classifier("m", matrix(5))
    found = fitted("stack", *base, meta, meta="m")
    assert [one.name for one in found.signatures] == ["predict", "predict_proba"]
    assert found.signatures[0].inputs == base[0].signatures[0].inputs
    assert found.plan["meta"] == "m"
    with pytest.raises(UsageError, match="takes 4 columns; the others give 5: a_0, a_1, b_0, b_1, b_2"):
        fitted("stack", *base, classifier("m"), meta="m")


def test_names_that_a_library_made_are_no_names() -> None:
    """LightGBM's Column_0 and XGBoost's f0 stand for places; the ensemble takes the names of another member."""
    generated = columns("Column_0", "Column_1")
    found = fitted("mean", regressor("a", generated), regressor("b", columns("p", "q")))
    assert [one.name for one in found.signatures[0].inputs] == ["p", "q"]
    assert [one["queries"]["predict"]["order"] for one in found.plan["members"]] == [[], []]
    mixed = fitted("mean", regressor("a", generated), regressor("b", columns("Column_1", "Column_0")))
    assert [one["queries"]["predict"]["order"] for one in mixed.plan["members"]] in ([[], [1, 0]], [[1, 0], []])


@pytest.mark.parametrize(
    ("shape", "classes", "query"),
    [
        ((-1, 3), ("x", "y", "z"), {"classes": ["x", "y", "z"], "second": False}),
        ((-1,), ("no", "yes"), {"classes": ["no", "yes"], "second": True}),
        ((-1, 1), ("no", "yes"), {"classes": ["no", "yes"], "second": True}),
    ],
)
def test_an_output_without_a_telling_name_has_probabilities_if_its_shape_fits_the_classes(
    shape: tuple[int, ...], classes: tuple[str, ...], query: dict[str, Any]
) -> None:
    """As boosters and networks give them, once `classes:` says the labels."""
    spec = TensorSpec(name="out", dtype="FP32", shape=shape)
    signature = Signature(name="predict", method="predict", inputs=matrix(), outputs=(spec,), layout="matrix")
    entry = MemberEntry(name="n", image="i", classes=classes)
    member = MemberFacts(entry=entry, signatures=(signature,), url="http://n:8080", model="n")
    found = fitted("soft_vote", member).plan["members"][0]["queries"]["predict_proba"]
    assert {key: found[key] for key in query} == query
    with pytest.raises(UsageError, match="gives no probabilities"):
        fitted("soft_vote", replace(member, entry=entry.model_copy(update={"classes": ("a", "b", "c", "d")})))


@pytest.mark.parametrize(
    ("one", "two", "wanted"),
    [
        ("INT64", "UINT8", "INT64"), ("UINT32", "INT8", "INT64"), ("UINT64", "INT64", "FP64"), ("INT64", "FP32", "FP64"),
        ("FP16", "FP32", "FP32"), ("BOOL", "FP32", "FP32"), ("INT8", "INT16", "INT16"), ("UINT8", "INT8", "INT16"),
    ],
)  # fmt: skip
def test_the_common_dtype_holds_the_values_of_both(one: str, two: str, wanted: str) -> None:
    """Whichever member comes first."""
    for first, second in ((one, two), (two, one)):
        found = fitted("mean", regressor("a", matrix(2, first)), regressor("b", matrix(2, second)))
        assert found.signatures[0].inputs[0].dtype == wanted
    with pytest.raises(UsageError, match="takes input as BF16"):
        fitted("mean", regressor("a", matrix(2)), regressor("b", matrix(2, "BF16")))


def test_classes_that_contradict_the_model_are_refused() -> None:
    """Its own labels are in the order of its probabilities; a number of labels must be that of the columns."""
    with pytest.raises(UsageError, match=r"has the classes \[0, 1\]; `classes:` says \[1, 0\]"):
        fitted("soft_vote", member_of(classifier("a"), classes=(1, 0)))
    spec = TensorSpec(name="p", dtype="FP32", shape=(-1, 3))
    signature = Signature(name="predict", method="predict", inputs=matrix(), outputs=(spec,), layout="matrix")
    with pytest.raises(UsageError, match=r"has 2 classes.* its output p is FP32 \[-1, 3\]"):
        fitted("soft_vote", member_of(regressor("a"), signatures=(signature,), classes=("x", "y"), output="p"))


def test_a_hard_vote_takes_labels_only() -> None:
    """A booster's number is none, whatever its classes are."""
    with pytest.raises(UsageError, match=r"answers no labels: predict is FP64 \[-1\]"):
        fitted("hard_vote", member_of(regressor("a"), classes=(0, 1)))


def test_the_columns_of_a_stack_are_ordered_by_their_names() -> None:
    """As documented: member, then class; other names are refused, unless they stand for places."""
    table = {"a_0": 0, "a_1": 1, "b": 2}
    members = classifier("a"), regressor("b")
    swapped = regressor("m", columns("a_1", "b", "a_0"))
    found = fitted("stack", *members, swapped, meta="m")
    assert found.plan["members"][2]["queries"]["predict"]["order"] == [table[name] for name in ("a_1", "b", "a_0")]
    other = regressor("m", columns("p", "q", "r"))
    with pytest.raises(UsageError, match="takes the columns p, q, r; the others give a_0, a_1, b"):
        fitted("stack", *members, other, meta="m")
    assert fitted("stack", *members, member_of(other, match_columns="place"), meta="m").plan["meta"] == "m"


def member_of(member: MemberFacts, *, signatures: tuple[Signature, ...] = (), **entry: Any) -> MemberFacts:
    """The member with other settings in ensemble.yaml."""
    changed = replace(member, entry=member.entry.model_copy(update=entry))
    return replace(changed, signatures=signatures) if signatures else changed
