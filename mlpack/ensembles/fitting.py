"""Whether the members of an ensemble fit each other and the reducer, and the plan of the coordinator if they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mlpack.artifacts.model import Scalar, Signature, TensorSpec
from mlpack.ensembles.facts import LABELS, PROBABILITIES, MemberFacts
from mlpack.ensembles.file import OF_CLASSES, EnsembleFile
from mlpack.ensembles.inputs import are_generated, column_names, common_inputs, misfit, width_of
from mlpack.ensembles.queries import first_output, own_classes, queries_of, query_of
from mlpack.errors import MembersMisfitError


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
    for member in members:
        _check_classes(member)
    inputs = common_inputs(base)
    classes = _classes(ensemble, base)
    queries = {one.entry.name: queries_of(ensemble, one, inputs) for one in base}
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
        "binary": member.binary,
        "queries": queries,
    }


def _classes(ensemble: EnsembleFile, members: Sequence[MemberFacts]) -> tuple[Scalar, ...]:
    """The ensemble's class labels: those of the first member, then those that only later members know."""
    if ensemble.reducer not in OF_CLASSES:
        return ()
    own = {one.entry.name: own_classes(one) for one in members}
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


def _check_classes(member: MemberFacts) -> None:
    """Raise MembersMisfitError if `classes:` contradicts the labels that the model records."""
    recorded = next((one.classes for one in member.signatures if one.classes), ())
    if member.entry.classes and recorded and member.entry.classes != tuple(recorded):
        raise MembersMisfitError(
            f"the member {member.entry.name} has the classes {list(recorded)}; `classes:` says {list(member.entry.classes)}",
            hint="Remove `classes:`: the model records its own, in the order of its probabilities.",
            member=member.entry.name,
        )


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
    _, output = first_output(members[0])
    if ensemble.reducer != "stack":  # whose columns are put side by side
        _refuse_other_shapes(members, output)
    return (replace(common, outputs=(replace(output, name=LABELS, dtype="FP64"),)),)


def _refuse_other_shapes(members: Sequence[MemberFacts], output: TensorSpec) -> None:
    """Raise MembersMisfitError if a row of one member's output has another shape than the first member's."""
    for member in members[1:]:
        _, other = first_output(member)
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
        for label in (query["classes"] or _numbers(one, query))
    ]
    first = meta.signatures[0]
    names, given = column_names(first), [column.replace(" ", "_") for column in columns]
    known = sorted(names) == sorted(given)
    if (
        names
        and not known
        and not are_generated(names)
        and meta.entry.match_columns == "name"
        and len(names) == len(given)
    ):
        raise MembersMisfitError(
            f"the meta-model {meta.entry.name} takes the columns {', '.join(names)}; the others give {', '.join(columns)}",
            hint="If these are the same columns in the same order, add `match_columns: place` to the meta-model.",
            member=meta.entry.name,
        )
    width = width_of(first)
    if isinstance(width, int) and width not in (len(columns), -1):
        raise MembersMisfitError(
            f"the meta-model {meta.entry.name} takes {width} columns; the others give {len(columns)}: {', '.join(columns)}",
            hint="Train it on exactly these columns, in this order.",
            member=meta.entry.name,
        )
    offered = [one for one in meta.signatures if one.name in (LABELS, PROBABILITIES)] or [first]
    order = [given.index(name) for name in names] if names and known else []
    return (
        {
            one.name: {**query_of(meta, one, one.outputs[0], one), "order": [] if order == sorted(order) else order}
            for one in offered
        },
        tuple(
            replace(signatures[0], name=one.name, method=one.method, outputs=one.outputs[:1], classes=one.classes)
            for one in offered
        ),
    )


def _numbers(member: MemberFacts, query: dict[str, Any]) -> list[int | None]:
    """The numbers of the columns of an output without classes; [None] for a single one."""
    outputs = [
        spec
        for one in member.signatures
        for spec in one.outputs
        if spec.name == query["output"] and query["method"] in ("", one.name)
    ]
    width = outputs[0].shape[1] if outputs and len(outputs[0].shape) == 2 else 1
    return list(range(width)) if isinstance(width, int) and width > 1 else [None]
