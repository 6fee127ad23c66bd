"""The signature of a Keras model, `predict`."""

from __future__ import annotations

from mlpack.artifacts.model import Batch, Signature, TensorSpec, texts_of
from mlpack.formats.keras.architecture import Architecture, Tensor
from mlpack.formats.keras.permitted import LAYERS

# Standard layers whose answer for a row may hang on the other rows, or that call what a file names.
_NOT_ALONE = frozenset({
    "Lambda", "TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod", "InstanceProperty",
    "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper", "Reshape", "MixUp", "CutMix", "Dot",
})  # fmt: skip

_SHOWN = 10


def signature_of(model: Architecture, *, own: bool) -> Signature | None:
    """The signature; None if the file does not record the inputs. `own`: the model has custom classes."""
    if not model.inputs or not model.outputs or any(tensor.shape is None for tensor in model.inputs):
        return None
    batch = _batch(model.inputs)
    inputs = tuple(_spec(tensor, batch) for tensor in model.inputs)
    matrix = batch == "any" and len(inputs) == 1 and len(inputs[0].shape) == 2 and inputs[0].dtype != "BYTES"
    # Any number beyond its table is one that the model cannot take: made-up rows hold what is in it.
    categories = {one.name: tuple(range(min(one.below, _SHOWN))) for one in model.inputs if one.below is not None}
    matrix = matrix and not categories and not model.named  # a row may then name the only input
    alone = batch == "any" and not own and not model.stateful  # rows do not depend on each other
    return Signature(
        name="predict",
        method="predict",
        inputs=inputs,
        not_null=texts_of(inputs),
        outputs=tuple(_spec(tensor, batch) for tensor in model.outputs),
        categories=categories,
        layout="matrix" if matrix and isinstance(inputs[0].shape[1], int) and inputs[0].shape[1] > 0 else "tensors",
        batchable=alone and all(kind in LAYERS - _NOT_ALONE for _, kind in model.layers),
        batch=batch,
    )


def _batch(inputs: tuple[Tensor, ...]) -> Batch:
    """A batch axis that is not open is 1 (a row at a time), or part of what one row is."""
    first = {tensor.shape[0] for tensor in inputs if tensor.shape}
    if first <= {None, -1} and all(tensor.shape for tensor in inputs):
        return "any"
    return "one" if first == {1} else "none"


def _spec(tensor: Tensor, batch: Batch) -> TensorSpec:
    if tensor.shape is None:
        return TensorSpec(name=tensor.name, dtype=tensor.dtype, shape=(-1, "..."))
    lengths = tuple(-1 if one is None else one for one in tensor.shape)
    return TensorSpec(name=tensor.name, dtype=tensor.dtype, shape=(-1, *(lengths if batch == "none" else lengths[1:])))
