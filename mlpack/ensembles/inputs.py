"""The rows of an ensemble: whether all members take the same, and how a member's values are ordered in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from mlpack.artifacts.model import Signature, TensorSpec
from mlpack.ensembles.facts import MemberFacts
from mlpack.errors import MembersMisfitError

_KINDS = {"BOOL": "b", "INT": "i", "UINT": "u", "FP": "f"}
_PREFIXES = ("Column_", "f", "")  # of LightGBM, XGBoost, CatBoost
_DTYPE = re.compile(r"(BOOL|INT(?=8|16|32|64)|UINT(?=8|16|32|64)|FP(?=16|32|64))(\d*)")


def common_inputs(members: Sequence[MemberFacts]) -> Signature:
    """The signature whose inputs the ensemble takes: that of the member that tells most about them.

    Columns with names are preferred to a matrix, and that to one without names; numbers get the widest dtype of all members.
    Raises MembersMisfitError.
    """
    firsts = [(one, one.signatures[0]) for one in members]
    leader, chosen = max(firsts, key=lambda one: (_named(one[1]), one[1].layout == "columns"))
    inputs = list(chosen.inputs)
    for member, signature in firsts:
        other = signature.inputs
        if width_of(signature) != width_of(chosen):
            raise misfit(leader, _told_inputs(chosen), member, _told_inputs(signature))
        names, own = column_names(chosen), column_names(signature)
        generated = are_generated(names) or are_generated(own)
        if names and own and set(names) != set(own) and _by_name(member) and not generated:
            raise misfit(
                leader, _told_inputs(chosen), member, _told_inputs(signature),
                "If these are the same columns in the same order, add `match_columns: place` to the member.",
            )  # fmt: skip
        if signature.layout == chosen.layout and len(other) == len(inputs):
            inputs = [_wider(one, _same(one, other, place, leader, member), member) for place, one in enumerate(inputs)]
        elif {signature.layout, chosen.layout} != {"columns", "matrix"} or _has_texts(signature) or _has_texts(chosen):
            raise misfit(leader, _told_inputs(chosen), member, _told_inputs(signature))
        elif signature.layout == "matrix":
            inputs = [_wider(one, other[0], member) for one in inputs]
        else:
            for one in other:
                inputs = [_wider(inputs[0], one, member)]
    return replace(chosen, inputs=tuple(inputs))


def _same(
    spec: TensorSpec, others: Sequence[TensorSpec], place: int, leader: MemberFacts, member: MemberFacts
) -> TensorSpec:
    """The other member's tensor for this one: of the same name, else at the same place. Texts fit texts only."""
    name = spec.name.replace(" ", "_")
    other = next((one for one in others if one.name.replace(" ", "_") == name), others[place])
    if (spec.dtype == "BYTES") != (other.dtype == "BYTES"):
        raise misfit(leader, f"{spec.name} is {spec.dtype}", member, f"{other.name} is {other.dtype}")
    return other


def _wider(spec: TensorSpec, other: TensorSpec, member: MemberFacts) -> TensorSpec:
    """The tensor in a dtype that holds the values of both. Raises MembersMisfitError for a dtype that is not known."""
    if spec.dtype == other.dtype:
        return spec
    (kind, bits), (other_kind, other_bits) = _parts(spec, member), _parts(other, member)
    if "b" in (kind, other_kind):
        return spec if other_kind == "b" else replace(spec, dtype=other.dtype)
    if kind == other_kind:
        return spec if bits >= other_bits else replace(spec, dtype=other.dtype)
    if "f" in (kind, other_kind):
        return replace(spec, dtype="FP64")
    unsigned = bits if kind == "u" else other_bits  # a signed integer of twice the bits holds it
    return replace(spec, dtype="FP64" if unsigned == 64 else f"INT{max(2 * unsigned, bits, other_bits)}")


def _parts(spec: TensorSpec, member: MemberFacts) -> tuple[str, int]:
    """The kind of a dtype and its bits."""
    found = _DTYPE.fullmatch(spec.dtype)
    if found is None:
        raise MembersMisfitError(
            f"the member {member.entry.name} takes {spec.name} as {spec.dtype}, which a coordinator cannot send",
            hint="Serve the model with an input of another data type.", member=member.entry.name,
        )  # fmt: skip
    return _KINDS[found[1]], int(found[2] or 8)


def width_of(signature: Signature) -> int | str | None:
    """How many values a row has, None for other tensors than columns and matrices."""
    if signature.layout == "columns":
        return len(signature.inputs)
    return signature.inputs[0].shape[-1] if signature.layout == "matrix" else None


def _has_texts(signature: Signature) -> bool:
    return any(spec.dtype == "BYTES" for spec in signature.inputs)


def column_names(signature: Signature) -> tuple[str, ...]:
    """The names of the values of a row, in their order; () if the file does not tell them.

    A blank and an underscore are the same, as in requests: LightGBM writes one as the other.
    """
    names = [spec.name for spec in signature.inputs] if signature.layout == "columns" else signature.columns
    return tuple(name.replace(" ", "_") for name in names) if signature.layout in ("columns", "matrix") else ()


def are_generated(names: tuple[str, ...]) -> bool:
    """Whether a library made the names, because its rows had none: they say no more than the places."""
    return any(names == tuple(f"{prefix}{number}" for number in range(len(names))) for prefix in _PREFIXES)


def _by_name(member: MemberFacts) -> bool:
    return member.entry.match_columns == "name"


def order_of(member: MemberFacts, signature: Signature, common: Signature) -> list[int]:
    """For each value of the member's row its place in the ensemble's, by the columns' names; [] if it is the same."""
    names, own = column_names(common), column_names(signature) if _by_name(member) else ()
    order = [names.index(name) for name in own] if set(names) == set(own) else []
    return [] if order == sorted(order) else order


def _named(signature: Signature) -> bool:
    """Whether the columns have names that the user gave them."""
    names = column_names(signature)
    return bool(names) and not are_generated(names)


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
