"""The rows of an ensemble: whether all members take the same, and how a member's values are ordered in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlpack.artifacts.model import Signature, TensorSpec
from mlpack.ensembles.facts import MemberFacts
from mlpack.errors import MembersMisfitError

_NUMBERS = ("BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FP16", "FP32", "FP64")
_PREFIXES = ("Column_", "f", "")  # of LightGBM, XGBoost, CatBoost
_WIDEST = {kind: place for place, kind in enumerate(_NUMBERS)}


def common_inputs(members: Sequence[MemberFacts]) -> Signature:
    """The signature whose inputs the ensemble takes: that of the member that tells most about them.

    Columns with names are preferred to a matrix, and that to one without names; numbers get the widest dtype of all members.
    Raises MembersMisfitError.
    """
    firsts = [(one, one.signatures[0]) for one in members]
    leader, chosen = max(firsts, key=lambda one: (one[1].layout == "columns", _named(one[1])))
    inputs = list(chosen.inputs)
    for member, signature in firsts:
        other = signature.inputs
        if width_of(signature) != width_of(chosen):
            raise misfit(leader, _told_inputs(chosen), member, _told_inputs(signature))
        names, own = _column_names(chosen), _column_names(signature)
        generated = _generated(names) or _generated(own)
        if names and own and set(names) != set(own) and _by_name(member) and not generated:
            raise misfit(
                leader, _told_inputs(chosen), member, _told_inputs(signature),
                "If these are the same columns in the same order, add `match_columns: place` to the member.",
            )  # fmt: skip
        if signature.layout == chosen.layout and len(other) == len(inputs):
            inputs = [_wider(one, _same(one, other, place, leader, member)) for place, one in enumerate(inputs)]
        elif {signature.layout, chosen.layout} != {"columns", "matrix"} or _has_texts(signature) or _has_texts(chosen):
            raise misfit(leader, _told_inputs(chosen), member, _told_inputs(signature))
        elif signature.layout == "matrix":
            inputs = [_wider(one, other[0]) for one in inputs]
    return replace(chosen, inputs=tuple(inputs))


def _same(
    spec: TensorSpec, others: Sequence[TensorSpec], place: int, leader: MemberFacts, member: MemberFacts
) -> TensorSpec:
    """The other member's tensor for this one: of the same name, else at the same place. Texts fit texts only."""
    other = next((one for one in others if one.name == spec.name), others[place])
    if (spec.dtype == "BYTES") != (other.dtype == "BYTES"):
        raise misfit(leader, f"{spec.name} is {spec.dtype}", member, f"{other.name} is {other.dtype}")
    return other


def _wider(spec: TensorSpec, other: TensorSpec) -> TensorSpec:
    if spec.dtype == "BYTES" or _WIDEST[other.dtype] <= _WIDEST[spec.dtype]:
        return spec
    return replace(spec, dtype=other.dtype)


def width_of(signature: Signature) -> int | str | None:
    """How many values a row has, None for other tensors than columns and matrices."""
    if signature.layout == "columns":
        return len(signature.inputs)
    return signature.inputs[0].shape[-1] if signature.layout == "matrix" else None


def _has_texts(signature: Signature) -> bool:
    return any(spec.dtype == "BYTES" for spec in signature.inputs)


def _column_names(signature: Signature) -> tuple[str, ...]:
    """The names of the values of a row, in their order; () if the file does not tell them.

    A blank and an underscore are the same, as in requests: LightGBM writes one as the other.
    """
    names = [spec.name for spec in signature.inputs] if signature.layout == "columns" else signature.columns
    return tuple(name.replace(" ", "_") for name in names) if signature.layout in ("columns", "matrix") else ()


def _generated(names: tuple[str, ...]) -> bool:
    """Whether a library made the names, because its rows had none: they say no more than the places."""
    return any(names == tuple(f"{prefix}{number}" for number in range(len(names))) for prefix in _PREFIXES)


def _by_name(member: MemberFacts) -> bool:
    return member.entry.match_columns == "name"


def order_of(member: MemberFacts, signature: Signature, common: Signature) -> list[int]:
    """For each value of the member's row its place in the ensemble's, by the columns' names; [] if it is the same."""
    names, own = _column_names(common), _column_names(signature) if _by_name(member) else ()
    order = [names.index(name) for name in own] if set(names) == set(own) else []
    return [] if order == sorted(order) else order


def _named(signature: Signature) -> bool:
    """Whether the columns have names that the user gave them."""
    names = _column_names(signature)
    return bool(names) and not _generated(names)


def _told_inputs(signature: Signature) -> str:
    names = [spec.name for spec in signature.inputs] if signature.layout == "columns" else signature.columns
    if names:
        return f"{len(names)} columns: {', '.join(names)}"
    return "; ".join(f"{spec.name} {spec.dtype} {list(spec.shape)}" for spec in signature.inputs)


def misfit(
    one: MemberFacts,
    what: str,
    other: MemberFacts,
    that: str,
    hint: str = "All members of an ensemble take the same rows. Retrain one of them, or leave it out.",
) -> MembersMisfitError:
    """The error for two members that do not fit; it shows both sides."""
    return MembersMisfitError(
        f"the members {one.entry.name} and {other.entry.name} do not fit: {one.entry.name} has {what}; "
        f"{other.entry.name} has {that}",
        hint=hint,
        member=other.entry.name,
    )
