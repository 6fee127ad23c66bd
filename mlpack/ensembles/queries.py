"""How a member of an ensemble is asked: by which signature, and for which output."""

from __future__ import annotations

from typing import Any

from mlpack.artifacts.model import Scalar, Signature, TensorSpec
from mlpack.ensembles.facts import LABELS, PROBABILITIES, MemberFacts
from mlpack.ensembles.file import EnsembleFile
from mlpack.ensembles.inputs import order_of
from mlpack.errors import MembersMisfitError

_OF_NUMBERS = ("mean", "weighted_mean", "median")
_FLOATS = ("FP16", "FP32", "FP64")
_SECOND = ((-1,), (-1, 1))  # shapes of an output that has the probability of the second class only
_OWN_METHODS = {"probabilities": PROBABILITIES, "output_probability": PROBABILITIES}


def own_classes(member: MemberFacts) -> tuple[Scalar, ...]:
    """The member's class labels in the order of its probabilities; () if neither the user nor the model tells them."""
    if member.entry.classes:
        return member.entry.classes
    return next((one.classes for one in member.signatures if one.classes), ())


def queries_of(ensemble: EnsembleFile, member: MemberFacts, common: Signature) -> dict[str, Any]:
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
        _check_width(member, probabilities[1])
        return {PROBABILITIES: query_of(member, *probabilities, common, probabilities=True)}
    if reducer == "stack" and probabilities is not None:
        return {PROBABILITIES: query_of(member, *probabilities, common, probabilities=True)}
    if reducer == "custom" and probabilities is not None:
        return {
            LABELS: query_of(member, *first_output(member), common),
            PROBABILITIES: query_of(member, *probabilities, common, probabilities=True),
        }
    signature, output = first_output(member)
    if reducer == "hard_vote" and (len(output.shape) != 1 or (output.dtype in _FLOATS and not _has_floats(member))):
        raise MembersMisfitError(
            f"the member {member.entry.name} answers no labels: {output.name} is {output.dtype} {list(output.shape)}",
            hint="Use `reduce: soft_vote` for probabilities, or name an output of labels with `output:`.",
            member=member.entry.name,
        )
    of_labels = bool(own_classes(member)) and output.dtype not in _FLOATS
    if reducer in (*_OF_NUMBERS, "stack") and (output.dtype == "BYTES" or of_labels):
        kind = "class labels" if of_labels else "texts"
        raise MembersMisfitError(
            f"the member {member.entry.name} answers {kind} ({output.name}), which `reduce: {ensemble.reduce}` cannot take",
            hint="Use `reduce: hard_vote` or `reduce: soft_vote` for classifiers, or name an output of numbers with `output:`.",
            member=member.entry.name,
        )
    return {LABELS: query_of(member, signature, output, common)}


def _has_floats(member: MemberFacts) -> bool:
    return any(isinstance(label, float) for label in own_classes(member))


def _check_width(member: MemberFacts, output: TensorSpec) -> None:
    """Raise MembersMisfitError if an output has not one number for each class."""
    own = own_classes(member)
    wide = len(output.shape) == 2 and output.shape[1] in (len(own), -1)
    single = len(own) == 2 and output.shape in _SECOND
    if output.dtype not in _FLOATS or not (
        wide or single or (len(output.shape) == 2 and isinstance(output.shape[1], str))
    ):
        raise MembersMisfitError(
            f"the member {member.entry.name} has {len(own)} classes, {list(own)}; its output {output.name} is {output.dtype} "
            f"{list(output.shape)}",
            hint="Correct `classes:` or `output:`: probabilities are floats, one column a class.",
            member=member.entry.name,
        )


def _probabilities(member: MemberFacts) -> tuple[Signature, TensorSpec] | None:
    """The signature and the output of its probabilities: the one that the user names, else one that has them by its name.

    Else an output with one number for each of the known classes; or, with two labels in `classes:`, one number a row, the
    probability of the second, as boosters and sigmoid layers give it.
    """
    own, every = own_classes(member), [(one, spec) for one in member.signatures for spec in one.outputs]
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


def first_output(member: MemberFacts) -> tuple[Signature, TensorSpec]:
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


def query_of(
    member: MemberFacts, signature: Signature, output: TensorSpec, common: Signature, *, probabilities: bool = False
) -> dict[str, Any]:
    """The query for one output of a signature, as the plan has it."""
    return {
        "method": signature.name if member.methods else "",
        "inputs": [spec.to_json() for spec in signature.inputs],
        "order": order_of(member, signature, common),
        "output": output.name,
        "classes": list(own_classes(member)) if probabilities else [],
        "second": probabilities and output.shape in _SECOND,
    }
