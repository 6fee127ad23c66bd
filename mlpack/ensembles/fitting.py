"""Whether the members of an ensemble fit each other and the reducer, and the plan of the coordinator if they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlpack.artifacts.model import Scalar, Signature, TensorSpec
from mlpack.ensembles.file import OF_CLASSES, EnsembleFile, MemberEntry
from mlpack.errors import MembersMisfitError

LABELS, PROBABILITIES = "predict", "predict_proba"
_NUMBERS = ("BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64")
_WIDEST = {kind: place for place, kind in enumerate(_NUMBERS)}
_OWN_METHODS = {"probabilities": PROBABILITIES, "output_probability": PROBABILITIES}


@dataclass(frozen=True, kw_only=True)
class MemberFacts:
    """What is known of a member before it is called: its signatures, as in a card, and how it is reached.

    `model` is its name in the service at `url`; `contract` is v2 or v1. `methods`: whether requests can name a signature.
    """

    entry: MemberEntry
    signatures: tuple[Signature, ...]
    url: str
    model: str
    version: str = ""
    contract: str = "v2"
    methods: bool = True
    audience: str = ""

    def signature(self, *names: str) -> Signature | None:
        """The first signature of one of these names."""
        return next((one for name in names for one in self.signatures if one.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """An ensemble whose members fit: its signatures, and the plan of its coordinator as JSON."""

    signatures: tuple[Signature, ...]
    plan: dict[str, Any]


def fit(ensemble: EnsembleFile, members: Sequence[MemberFacts]) -> Fitted:
    """Check all members against each other and the reducer. Raises MembersMisfitError that names the member and both sides."""
    base = [one for one in members if one.entry.name != ensemble.meta]
    inputs = _common_inputs(base)
    classes = _classes(ensemble, base)
    queries = {one.entry.name: _queries(ensemble, one, inputs) for one in base}
    signatures = _signatures(ensemble, base, inputs, classes)
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


def _common_inputs(members: Sequence[MemberFacts]) -> Signature:
    """The signature whose inputs the ensemble takes: that of the member that tells most about them.

    Columns with names are preferred to a matrix; numbers get the widest dtype of all members.
    """
    firsts = [(one, one.signatures[0]) for one in members]
    leader, chosen = next(((one, sig) for one, sig in firsts if sig.layout == "columns"), firsts[0])
    inputs = list(chosen.inputs)
    for member, signature in firsts:
        other = signature.inputs
        if _width(signature) != _width(chosen):
            raise _misfit(leader, _told_inputs(chosen), member, _told_inputs(signature))
        if signature.layout == chosen.layout and len(other) == len(inputs):
            if signature.layout == "columns" and {one.name for one in other} != {one.name for one in inputs}:
                raise _misfit(leader, _told_inputs(chosen), member, _told_inputs(signature))
            inputs = [_wider(one, _same(one, other, place, leader, member)) for place, one in enumerate(inputs)]
        elif {signature.layout, chosen.layout} != {"columns", "matrix"} or _has_texts(signature) or _has_texts(chosen):
            raise _misfit(leader, _told_inputs(chosen), member, _told_inputs(signature))
        elif signature.layout == "matrix":
            inputs = [_wider(one, other[0]) for one in inputs]
    return replace(chosen, inputs=tuple(inputs))


def _same(
    spec: TensorSpec, others: Sequence[TensorSpec], place: int, leader: MemberFacts, member: MemberFacts
) -> TensorSpec:
    """The other member's tensor for this one: of the same name, else at the same place. Texts fit texts only."""
    other = next((one for one in others if one.name == spec.name), others[place])
    if (spec.dtype == "BYTES") != (other.dtype == "BYTES"):
        raise _misfit(leader, f"{spec.name} is {spec.dtype}", member, f"{other.name} is {other.dtype}")
    return other


def _wider(spec: TensorSpec, other: TensorSpec) -> TensorSpec:
    if spec.dtype == "BYTES" or _WIDEST[other.dtype] <= _WIDEST[spec.dtype]:
        return spec
    return replace(spec, dtype=other.dtype)


def _width(signature: Signature) -> int | str | None:
    """How many values a row has, None for other tensors than columns and matrices."""
    if signature.layout == "columns":
        return len(signature.inputs)
    return signature.inputs[0].shape[-1] if signature.layout == "matrix" else None


def _has_texts(signature: Signature) -> bool:
    return any(spec.dtype == "BYTES" for spec in signature.inputs)


def _told_inputs(signature: Signature) -> str:
    if signature.layout == "columns":
        return f"{len(signature.inputs)} columns: {', '.join(spec.name for spec in signature.inputs)}"
    return "; ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in signature.inputs)


def _misfit(one: MemberFacts, what: str, other: MemberFacts, that: str) -> MembersMisfitError:
    return MembersMisfitError(
        f"the members {one.entry.name} and {other.entry.name} do not fit: {one.entry.name} has {what}; "
        f"{other.entry.name} has {that}",
        hint="All members of an ensemble take the same rows. Retrain one of them, or leave it out.",
    )


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
            )
    first = members[0]
    for member in members[1:]:
        if not set(own[member.entry.name]) & set(own[first.entry.name]):
            raise _misfit(
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
    labels = member.signature(LABELS) or member.signatures[0]
    reducer = ensemble.reducer
    if reducer in ("soft_vote", "cascade"):
        if probabilities is None:
            offered = ", ".join(one.name for one in member.signatures)
            raise MembersMisfitError(
                f"the member {member.entry.name} gives no probabilities, which `reduce: {ensemble.reduce}` needs; it has "
                f"{offered}",
                hint="Use `reduce: hard_vote`, or name the output of its probabilities: `output: NAME`.",
            )
        return {PROBABILITIES: _query(member, *probabilities, common)}
    if reducer == "stack" and probabilities is not None:
        return {PROBABILITIES: _query(member, *probabilities, common)}
    if reducer == "custom" and probabilities is not None:
        return {
            LABELS: _query(member, labels, _output(member, labels), common),
            PROBABILITIES: _query(member, *probabilities, common),
        }
    output = _output(member, labels)
    if reducer in ("mean", "weighted_mean", "median", "stack") and output.dtype == "BYTES":
        raise MembersMisfitError(
            f"the member {member.entry.name} answers texts ({output.name}), which `reduce: {ensemble.reduce}` cannot take",
            hint="Use `reduce: hard_vote` or `reduce: soft_vote` for classifiers.",
        )
    return {LABELS: _query(member, labels, output, common)}


def _probabilities(member: MemberFacts) -> tuple[Signature, TensorSpec] | None:
    """The signature and the output of its probabilities, one column a class."""
    if member.entry.output is not None:
        named = [(one, spec) for one in member.signatures for spec in one.outputs if spec.name == member.entry.output]
        return named[0] if named and _own_classes(member) else None
    for signature in member.signatures:
        for spec in signature.outputs:
            found = signature.name == PROBABILITIES or _OWN_METHODS.get(spec.name) == PROBABILITIES
            if found and spec.dtype in ("FP32", "FP64", "FP16") and len(spec.shape) == 2:
                return signature, spec
    return None


def _output(member: MemberFacts, signature: Signature) -> TensorSpec:
    wanted = member.entry.output
    found = signature.outputs[0] if wanted is None else next((o for o in signature.outputs if o.name == wanted), None)
    if found is None:
        offered = ", ".join(spec.name for spec in signature.outputs)
        raise MembersMisfitError(
            f"the member {member.entry.name} has no output {wanted}; it has {offered}", hint="Correct `output:`."
        )
    return found


def _query(member: MemberFacts, signature: Signature, output: TensorSpec, common: Signature) -> dict[str, Any]:
    inputs = list(signature.inputs)
    if (
        signature.layout == "columns" and common.layout == "columns"
    ):  # in the ensemble's order, because they go by place
        inputs = [next(one for one in inputs if one.name == spec.name) for spec in common.inputs]
    return {
        "method": signature.name if member.methods else "",
        "inputs": [spec.to_json() for spec in inputs],
        "output": output.name,
        "classes": list(_own_classes(member)) if len(output.shape) == 2 else [],
    }


def _signatures(
    ensemble: EnsembleFile, members: Sequence[MemberFacts], common: Signature, classes: tuple[Scalar, ...]
) -> tuple[Signature, ...]:
    """What the ensemble offers: labels and probabilities where it votes softly, else the members' first output."""
    first = members[0].signature(LABELS) or members[0].signatures[0]
    batchable = all(one.signatures[0].batchable for one in members)
    if classes:
        labels = TensorSpec(name=LABELS, dtype=_dtype(classes), shape=(-1,))
        offered = [replace(common, name=LABELS, method=LABELS, outputs=(labels,), classes=classes, batchable=batchable)]
        if ensemble.reducer != "hard_vote":
            spec = TensorSpec(name=PROBABILITIES, dtype="FP64", shape=(-1, len(classes)))
            offered.append(replace(offered[0], name=PROBABILITIES, method=PROBABILITIES, outputs=(spec,)))
        return tuple(offered)
    output = _output(members[0], first)
    outputs = () if ensemble.reducer == "custom" else (replace(output, name=LABELS, dtype="FP64"),)
    return (replace(common, name=LABELS, method=LABELS, outputs=outputs, classes=None, batchable=batchable),)


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
    width = _width(first)
    if isinstance(width, int) and width not in (len(columns), -1):
        given = ", ".join(columns)
        raise MembersMisfitError(
            f"the meta-model {meta.entry.name} takes {width} columns; the others give {len(columns)}: {given}",
            hint="Train it on exactly these columns, in this order.",
        )
    offered = [one for one in meta.signatures if one.name in (LABELS, PROBABILITIES)] or [first]
    return (
        {one.name: _query(meta, one, _output(meta, one), one) for one in offered},
        tuple(
            replace(signatures[0], name=one.name, method=one.method, outputs=one.outputs, classes=one.classes)
            for one in offered
        ),
    )
