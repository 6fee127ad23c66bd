"""The interface of an ONNX graph: its inputs and outputs as a Signature, and the axis of the rows, if any."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mlpack.artifacts.model import Batch, Layout, Scalar, Signature, Task, TensorSpec, texts_of
from mlpack.artifacts.row_sizes import image_size, with_sizes
from mlpack.formats.onnx.independence import rows_are_independent, rows_are_scaled_together
from mlpack.formats.onnx.inferred import typed_outputs
from mlpack.formats.onnx.proto import Model
from mlpack.formats.onnx.values import Value

# TensorProto.DataType -> V2's name; the rest has none there.
DTYPES = {
    1: "FP32", 2: "UINT8", 3: "INT8", 4: "UINT16", 5: "INT16", 6: "INT32", 7: "INT64", 8: "BYTES", 9: "BOOL", 10: "FP16",
    11: "FP64", 12: "UINT32", 13: "UINT64",
}  # fmt: skip
_OTHERS = {14: "complex64", 15: "complex128", 16: "bfloat16"}
_CLASSIFIERS = frozenset({"LinearClassifier", "TreeEnsembleClassifier", "SVMClassifier"})
_REGRESSORS = frozenset({"LinearRegressor", "TreeEnsembleRegressor", "SVMRegressor"})


@dataclass(frozen=True, kw_only=True)
class Interface:
    """The signature, or the problem that leaves none; `unserved` are outputs that no contract can carry."""

    signature: Signature | None = None
    problem: str = ""
    unserved: tuple[str, ...] = ()
    task: Task | None = None
    classes: tuple[Scalar, ...] | None = None


def interface_of(model: Model) -> Interface:
    """The interface of a graph; the outputs that requests can return, in the order of the graph."""
    classes = _classes(model)
    task = _task(model, classes)
    if not model.inputs:
        return Interface(problem="it has no inputs", task=task, classes=classes)
    strange = [f"{one.name} ({_words(one)})" for one in model.inputs if not _plain(one)]
    if strange:
        return Interface(
            problem=f"requests cannot contain its input {', '.join(strange[:3])}", task=task, classes=classes
        )
    outputs = typed_outputs(model)
    served = [one for one in outputs if _plain(one) or _is_zipmap(one)]
    unserved = tuple(f"{one.name} ({_words(one)})" for one in outputs if one not in served)
    if not served:
        return Interface(
            problem="responses cannot contain any of its outputs", unserved=unserved, task=task, classes=classes
        )
    batch = _batch(model.inputs, served)
    if batch == "any" and rows_are_scaled_together(model):
        batch = "one"
    layout = _layout(model.inputs, batch)
    inputs = tuple(_input(one, layout, batch) for one in model.inputs)
    signature = Signature(
        name="predict",
        method="predict",
        inputs=inputs,
        not_null=texts_of(inputs),
        outputs=tuple(_output(one, batch, classes) for one in served),
        layout=layout,
        classes=classes,
        batch=batch,
        batchable=batch == "any" and rows_are_independent(model),
    )
    signature = with_sizes(signature, image_size(model.metadata))
    return Interface(signature=signature, unserved=unserved, task=task, classes=classes)


def _batch(inputs: Iterable[Value], outputs: Iterable[Value]) -> Batch:
    """Any number of rows where axis 0 of all is free; one where it is 1 somewhere; no row axis where it is anything else."""
    first = [_first(one) for one in inputs]
    last = [_first(one) for one in outputs if one.dims is not None]
    if any(isinstance(size, int) and size not in (1, -1) for size in first) or None in first:
        return "none"
    free = all(size != 1 for size in first)
    if not free:
        return "one"
    if all(size is not None and (isinstance(size, str) or size == -1) for size in last):
        return "any"
    deep = all(one.dims is not None and len(one.dims) > 1 for one in inputs)
    return "one" if deep and all(size in (1, -1) or isinstance(size, str) for size in last) else "none"


def _first(value: Value) -> int | str | None:
    """Axis 0 (-1: unknown); None of a scalar."""
    if value.dims is None:
        return -1
    return value.dims[0] if value.dims else None


def _layout(inputs: tuple[Value, ...], batch: Batch) -> Layout:
    if batch == "none" or any(one.dims is None for one in inputs):
        return "tensors"
    if all(one.dims is not None and (len(one.dims) == 1 or one.dims[1:] == (1,)) for one in inputs):
        return "columns"
    only = inputs[0]
    numeric = DTYPES[only.element] not in ("BYTES", "BOOL")
    return "matrix" if len(inputs) == 1 and numeric and len(only.dims or ()) == 2 else "tensors"


def _input(value: Value, layout: Layout, batch: Batch) -> TensorSpec:
    shape = (-1,) if layout == "columns" else _shape(value, batch)
    return TensorSpec(name=value.name, dtype=DTYPES[value.element], shape=shape)


def _output(value: Value, batch: Batch, classes: tuple[Scalar, ...] | None) -> TensorSpec:
    if _is_zipmap(value):
        return TensorSpec(name=value.name, dtype="FP32", shape=(-1, len(classes) if classes else -1))
    shape = _shape(value, batch) if value.dims is not None else (-1, "...")
    return TensorSpec(name=value.name, dtype=DTYPES[value.element], shape=shape)


def _shape(value: Value, batch: Batch) -> tuple[int | str, ...]:
    """The axes as the service has them: rows first."""
    dims = value.dims if value.dims is not None else (-1,)
    whole = batch == "none" or not dims or (batch == "one" and isinstance(dims[0], int) and dims[0] > 1)
    return (-1, *dims) if whole else (-1, *dims[1:])


def _plain(value: Value) -> bool:
    return value.kind == "tensor" and value.element in DTYPES


def _is_zipmap(value: Value) -> bool:
    """A sequence of maps from labels to numbers, as ZipMap gives."""
    held = value.inner.inner if value.kind == "sequence" and value.inner and value.inner.kind == "map" else None
    return held is not None and held.kind == "tensor" and held.element in (1, 11)


def _words(value: Value) -> str:
    if value.kind == "tensor":
        return _OTHERS.get(value.element, f"element type {value.element}")
    return f"{value.kind} of {value.inner.kind}s" if value.inner is not None else value.kind


def _classes(model: Model) -> tuple[Scalar, ...] | None:
    """The labels in the order of the probabilities: ZipMap's, else those of all classifiers when they agree."""
    for wanted in (frozenset({"ZipMap"}), _CLASSIFIERS):
        found = {one.labels for one in model.nodes if one.op in wanted and one.labels}
        if len(found) == 1:
            return tuple(next(iter(found)))
    return None


def _task(model: Model, classes: tuple[Scalar, ...] | None) -> Task | None:
    names = {one.name for one in model.outputs}
    if classes or names & {"output_label", "output_probability", "probabilities"}:
        return "classifier"
    return "regressor" if any(one.op in _REGRESSORS for one in model.nodes) else None
