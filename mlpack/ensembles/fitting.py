"""Whether the members of an ensemble fit each other and the reducer, and the plan of the coordinator if they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlpack.artifacts.model import Scalar, Signature, TensorSpec
from mlpack.ensembles.facts import LABELS, PROBABILITIES, MemberFacts
from mlpack.ensembles.file import OF_CLASSES, EnsembleFile
from mlpack.ensembles.inputs import common_inputs, misfit, order_of, width_of
from mlpack.errors import MembersMisfitError

_OF_NUMBERS = ("mean", "weighted_mean", "median")
_FLOATS = ("FP16", "FP32", "FP64")
_SECOND = ((-1,), (-1, 1))  # shapes of an output that has the probability of the second class only
_OWN_METHODS = {"probabilities": PROBABILITIES, "output_probability": PROBABILITIES}


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """An ensemble whose members fit: its signatures, and the plan of its coordinator as JSON."""

    signatures: tuple[Signature, ...]
    plan: dict[str, Any]


def fit(ensemble: EnsembleFile, members: Sequence[MemberFacts], own: tuple[TensorSpec, ...] = ()) -> Fitted:
    """Check all members against each other and the reducer; `own` are the outputs that the user's reduce.py declares.

    Raises MembersMisfitError, which names the member and both sides.
    """
    base = [one for one in members if one.entry.name != ensemble.meta]
    inputs = common_inputs(base)
    classes = _classes(ensemble, base)
    queries = {one.entry.name: _queries(ensemble, one, inputs) for one in base}
    signatures = _signatures(ensemble, base, inputs, classes, own)
    if ensemble.meta is not None:
        meta = next(one for one in members if one.entry.name == ensemble.meta)
        queries[meta.entry.name], signatures = _meta(meta, base, queries, signatures)
    plan = {
        "reducer": ensemble.reducer,
        "classes": list(classes),
        "meta": ensemble.meta or "",
        "threshold": ensemble.threshold or 0,
        "members": [_planned(one, queries[one.entry.name]) for one in members],
    }
    return Fitted(signatures=signatures, plan=plan)


def _planned(member: MemberFacts, queries: dict[str, Any]) -> dict[str, Any]:
    entry = member.entry
    return {
        "name": entry.name,
        "url": member.url,
        "model": member.model,
        "version": member.version,
        "contract": member.contract,
        "weight": entry.weight,
        "timeout_s": entry.timeout_s or 0,
        "required": entry.required,
        "audience": entry.audience or member.audience,
        "queries": queries,
    }


def _classes(ensemble: EnsembleFile, members: Sequence[MemberFacts]) -> tuple[Scalar, ...]:
    """The ensemble's class labels: those of the first member, then those that only later members know."""
    if ensemble.reducer not in OF_CLASSES:
        return ()
    own = {one.entry.name: _own_classes(one) for one in members}
    for member in members:
        if not own[member.entry.name]:
            raise MembersMisfitError(
                f"the member {member.entry.name} has no classes, which `reduce: {ensemble.reduce}` needs",
                hint="Add `classes: [...]` to the member, in the order of its probabilities, or use `reduce: mean`.",
                member=member.entry.name,
            )
    first = members[0]
    for member in members[1:]:
        if not set(own[member.entry.name]) & set(own[first.entry.name]):
            raise misfit(
                first,
                f"the classes {list(own[first.entry.name])}",
                member,
                f"the classes {list(own[member.entry.name])}",
            )
    return tuple(dict.fromkeys(label for member in members for label in own[member.entry.name]))


def _own_classes(member: MemberFacts) -> tuple[Scalar, ...]:
    if member.entry.classes:
        return member.entry.classes
    return next((one.classes for one in member.signatures if one.classes), ())


def _queries(ensemble: EnsembleFile, member: MemberFacts, common: Signature) -> dict[str, Any]:
    """How the member is asked: by the ensemble's name of each output that the reducer needs."""
    probabilities = _probabilities(member)
    reducer = ensemble.reducer
    if reducer in ("soft_vote", "cascade"):
        if probabilities is None:
            offered = ", ".join(one.name for one in member.signatures)
            raise MembersMisfitError(
                f"the member {member.entry.name} gives no probabilities, which `reduce: {ensemble.reduce}` needs; it has "
                f"{offered}",
                hint="Use `reduce: hard_vote`, or name the output of its probabilities: `output: NAME`.",
                member=member.entry.name,
            )
        return {PROBABILITIES: _query(member, *probabilities, common, probabilities=True)}
    if reducer == "stack" and probabilities is not None:
        return {PROBABILITIES: _query(member, *probabilities, common, probabilities=True)}
    if reducer == "custom" and probabilities is not None:
        return {
            LABELS: _query(member, *_first(member), common),
            PROBABILITIES: _query(member, *probabilities, common, probabilities=True),
        }
    signature, output = _first(member)
    of_labels = bool(_own_classes(member)) and output.dtype not in _FLOATS
    if reducer in (*_OF_NUMBERS, "stack") and (output.dtype == "BYTES" or of_labels):
        kind = "class labels" if of_labels else "texts"
        raise MembersMisfitError(
            f"the member {member.entry.name} answers {kind} ({output.name}), which `reduce: {ensemble.reduce}` cannot take",
            hint="Use `reduce: hard_vote` or `reduce: soft_vote` for classifiers, or name an output of numbers with `output:`.",
            member=member.entry.name,
        )
    return {LABELS: _query(member, signature, output, common)}


def _probabilities(member: MemberFacts) -> tuple[Signature, TensorSpec] | None:
    """The signature and the output of its probabilities: the one that the user names, else one that has them by its name.

    Else an output with one number for each of the known classes; or, with two labels in `classes:`, one number a row, the
    probability of the second, as boosters and sigmoid layers give it.
    """
    own, every = _own_classes(member), [(one, spec) for one in member.signatures for spec in one.outputs]
    if member.entry.output is not None:
        every = [(one, spec) for one, spec in every if spec.name == member.entry.output]
        return every[0] if every and own else None
    numbers = [(one, spec) for one, spec in every if spec.dtype in _FLOATS]
    named = [
        (one, spec)
        for one, spec in numbers
        if len(spec.shape) == 2 and (one.name == PROBABILITIES or _OWN_METHODS.get(spec.name) == PROBABILITIES)
    ]
    fitting = [(one, spec) for one, spec in numbers if len(own) > 1 and spec.shape == (-1, len(own))]
    second = [(one, spec) for one, spec in numbers if len(member.entry.classes) == 2 and spec.shape in _SECOND]
    return next(iter((*named, *fitting, *second)), None)


def _first(member: MemberFacts) -> tuple[Signature, TensorSpec]:
    """The output that the member's entry names, with its signature; else the first one of `predict`."""
    wanted = member.entry.output
    default = member.signature(LABELS) or member.signatures[0]
    if wanted is None:
        return default, default.outputs[0]
    every = [(one, spec) for one in (default, *member.signatures) for spec in one.outputs]
    found = next(((one, spec) for one, spec in every if spec.name == wanted), None)
    if found is None:
        offered = ", ".join(dict.fromkeys(spec.name for _, spec in every))
        raise MembersMisfitError(
            f"the member {member.entry.name} has no output {wanted}; it has {offered}",
            hint="Correct `output:`.",
            member=member.entry.name,
        )
    return found


def _query(
    member: MemberFacts, signature: Signature, output: TensorSpec, common: Signature, *, probabilities: bool = False
) -> dict[str, Any]:
    return {
        "method": signature.name if member.methods else "",
        "inputs": [spec.to_json() for spec in signature.inputs],
        "order": order_of(member, signature, common),
        "output": output.name,
        "classes": list(_own_classes(member)) if probabilities else [],
        "second": probabilities and output.shape in _SECOND,
    }


def _signatures(
    ensemble: EnsembleFile,
    members: Sequence[MemberFacts],
    common: Signature,
    classes: tuple[Scalar, ...],
    own: tuple[TensorSpec, ...],
) -> tuple[Signature, ...]:
    """What the ensemble offers: labels and probabilities where it votes softly, else the members' first output.

    `own` are the outputs that the user's reduce.py declares.
    """
    batchable = all(one.signatures[0].batchable for one in members)
    if classes:
        labels = TensorSpec(name=LABELS, dtype=_dtype(classes), shape=(-1,))
        offered = [replace(common, name=LABELS, method=LABELS, outputs=(labels,), classes=classes, batchable=batchable)]
        if ensemble.reducer != "hard_vote":
            spec = TensorSpec(name=PROBABILITIES, dtype="FP64", shape=(-1, len(classes)))
            offered.append(replace(offered[0], name=PROBABILITIES, method=PROBABILITIES, outputs=(spec,)))
        return tuple(offered)
    common = replace(common, name=LABELS, method=LABELS, classes=None, batchable=batchable)
    if ensemble.reducer == "custom":
        if own:
            return (replace(common, outputs=own),)
        rows = TensorSpec(name=LABELS, dtype="BYTES", shape=(-1,))
        return (replace(common, outputs=(rows,), raw=(*common.raw, LABELS)),)
    _, output = _first(members[0])
    _refuse_other_shapes(members, output)
    return (replace(common, outputs=(replace(output, name=LABELS, dtype="FP64"),)),)


def _refuse_other_shapes(members: Sequence[MemberFacts], output: TensorSpec) -> None:
    """Raise MembersMisfitError if a row of one member's output has another shape than the first member's."""
    for member in members[1:]:
        _, other = _first(member)
        if len(other.shape) != len(output.shape) or any(
            one != two
            for one, two in zip(output.shape[1:], other.shape[1:], strict=True)
            if isinstance(one, int) and isinstance(two, int) and -1 not in (one, two)
        ):
            raise misfit(
                members[0], f"the output {output.name} {list(output.shape)}",
                member, f"the output {other.name} {list(other.shape)}",
                "Choose outputs of one shape with `output: NAME`, or leave one of them out.",
            )  # fmt: skip


def _dtype(classes: tuple[Scalar, ...]) -> str:
    kinds = {type(label) for label in classes}
    return {frozenset({int}): "INT64", frozenset({float}): "FP64", frozenset({bool}): "BOOL"}.get(
        frozenset(kinds), "BYTES"
    )


def _meta(
    meta: MemberFacts,
    base: Sequence[MemberFacts],
    queries: dict[str, dict[str, Any]],
    signatures: tuple[Signature, ...],
) -> tuple[dict[str, Any], tuple[Signature, ...]]:
    """The query of a stack's meta-model, whose columns are the outputs of the other members in their order."""
    columns = [
        f"{one.entry.name}_{label}" if label is not None else one.entry.name
        for one in base
        for query in queries[one.entry.name].values()
        for label in (query["classes"] or [None])
    ]
    first = meta.signatures[0]
    width = width_of(first)
    if isinstance(width, int) and width not in (len(columns), -1):
        given = ", ".join(columns)
        raise MembersMisfitError(
            f"the meta-model {meta.entry.name} takes {width} columns; the others give {len(columns)}: {given}",
            hint="Train it on exactly these columns, in this order.",
            member=meta.entry.name,
        )
    offered = [one for one in meta.signatures if one.name in (LABELS, PROBABILITIES)] or [first]
    return (
        {one.name: _query(meta, one, one.outputs[0], one) for one in offered},
        tuple(
            replace(signatures[0], name=one.name, method=one.method, outputs=one.outputs, classes=one.classes)
            for one in offered
        ),
    )
