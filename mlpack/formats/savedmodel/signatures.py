"""A SavedModel's signatures for the service, and the number of rows of each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlpack.artifacts.model import Batch, Scalar, Signature, TensorSpec, texts_of
from mlpack.formats.savedmodel.graph import Call, MetaGraph, Tensor

_DEFAULT = "serving_default"
_PARSERS = frozenset({"ParseExample", "ParseExampleV2", "ParseSingleExample"})
_IMAGES = frozenset({"DecodeJpeg", "DecodePng", "DecodeImage"})  # each reads PNG
_PNG = (  # 64 by 64 pixels, grey
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAS0lEQVR42u3PMQ0AAAwDoEqv9ErYvQQckD4XAQEB"
    "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAYHLAB8+AWnmfUycAAAAAElFTkSuQmCC"
)
# Which of several outputs a person would call the prediction, the best name first.
_PREDICTION = tuple(
    re.compile(pattern)
    for pattern in (r"predictions?$", r"labels?$", r"class(es|_ids?)?$", r"output(_0|_1)?$", r"(scores?|prob\w*)$")
)


def calls_of(graph: MetaGraph) -> tuple[Call, ...]:
    """The ways to ask the graph, `serving_default` first; TensorFlow's own (`__saved_model_init_op`) are left out."""
    calls = [call for call in graph.calls if not call.name.startswith("__saved_model_")]
    return tuple(sorted(calls, key=lambda call: (call.name != _DEFAULT, call.name)))


def signatures_of(calls: Sequence[Call], graph: MetaGraph) -> tuple[tuple[Signature, ...], list[str]]:
    """The signatures, and in sentences why some are not offered."""
    found: list[Signature] = []
    problems: list[str] = []
    for call in calls:
        problem = _problem(call, graph)
        if problem:
            problems.append(f"The signature {call.name} is not offered: {problem}.")
        else:
            found.append(_signature(call, graph))
    if any(signature.categories for signature in found):
        problems.append("It takes serialized tf.Example messages: give a few with --sample, for its warm-up and test.")
    return tuple(found), problems


def composite(calls: Sequence[Call], graph: MetaGraph) -> bool:
    """Whether a signature takes or returns a ragged or sparse tensor."""
    return any(
        graph.objects.composites.kind_of(tensor.name for tensor in call.inputs)
        or any(tensor.composite for tensor in (*call.inputs, *call.outputs))
        for call in calls
    )


def _problem(call: Call, graph: MetaGraph) -> str:
    if not call.inputs:
        return "it takes no inputs"
    if not call.outputs:
        return "it gives nothing"
    for tensor in (*call.inputs, *call.outputs):
        if tensor.composite:
            return f"{tensor.name} is a sparse or ragged tensor"
        if not tensor.dtype:
            return f"{tensor.name} has a data type without a JSON form"
    if kind := graph.objects.composites.kind_of(tensor.name for tensor in call.inputs):
        parts = ", ".join(tensor.name for tensor in call.inputs[:8])
        return f"it takes a {kind} tensor, and {parts} are the parts of it, which are no rows"
    return ""


def _signature(call: Call, graph: MetaGraph) -> Signature:
    batch = _batch(call)
    first = call.inputs[0]
    single = len(call.inputs) == 1 and first.dtype == "BYTES"
    parsed = single and bool(graph.ops & _PARSERS)
    image = single and not parsed and bool(graph.ops & _IMAGES)
    # A message with nothing in it is one that can be parsed, when every feature has a default.
    categories: dict[str, tuple[Scalar, ...]] = {first.name: ("",)} if parsed else {}
    inputs = tuple(_spec(tensor, batch, output=False) for tensor in call.inputs)
    return Signature(
        name=call.name,
        method=call.name,
        inputs=inputs,
        not_null=texts_of(inputs),
        outputs=tuple(_spec(tensor, batch, output=True) for tensor in sorted(call.outputs, key=_rank)),
        layout="tensors",
        categories=categories,
        example={first.name: {"b64": _PNG}} if image else {},
        batch=batch,
    )


def _batch(call: Call) -> Batch:
    """Any number of rows where every tensor's first axis is open; one where it is 1; else a row is all that one call takes."""
    given = [_first(tensor) for tensor in call.inputs]
    outputs = [_first(tensor) for tensor in call.outputs]
    if all(one in (-1, None) for one in given) and all(one in (-1, None) for one in outputs):
        return "any"
    if all(one == 1 for one in given) and all(one in (1, -1, None) for one in outputs):
        return "one"
    return "none"


def _first(tensor: Tensor) -> int | None:
    """The length of the first axis; None if the rank is unknown, 0 without axes."""
    if tensor.shape is None:
        return None
    return tensor.shape[0] if tensor.shape else 0


def _spec(tensor: Tensor, batch: Batch, *, output: bool) -> TensorSpec:
    if tensor.shape is None:
        return TensorSpec(name=tensor.name, dtype=tensor.dtype, shape=(-1, "...") if output else (-1,))
    inner = tensor.shape if batch == "none" else tensor.shape[1:]
    return TensorSpec(name=tensor.name, dtype=tensor.dtype, shape=(-1, *inner))


def _rank(tensor: Tensor) -> tuple[int, str]:
    for place, pattern in enumerate(_PREDICTION):
        if pattern.match(tensor.name):
            return place, tensor.name
    return len(_PREDICTION), tensor.name
