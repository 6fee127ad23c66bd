"""The TensorFlow Lite format, host half: reads tensors, signatures and operators without running them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlpack.artifacts.model import (
    Batch,
    Finding,
    Layout,
    ModelInfo,
    Requirement,
    Safety,
    Signature,
    TensorSpec,
    texts_of,
)
from mlpack.artifacts.notice import Notice, no_signature, notices
from mlpack.artifacts.row_sizes import with_sizes
from mlpack.errors import UnreadableModelError
from mlpack.formats.base import Artifact, Format, Kind
from mlpack.formats.tflite.schema import Call, Model, Tensor, read_model
from mlpack.packages.distributions import Distribution
from mlpack.readers.encodings.flatbuffers import Bytes, opened
from mlpack.readers.limits import MIB, CutOffError

# Custom operators that are part of the runtime.
_KNOWN = frozenset({"TFLite_Detection_PostProcess", "Mfcc", "AudioSpectrogram", "NumericVerify"})
_NEWER = "contains unknown parts, which may name other files: build with --trust if you know where the file comes from"
_MOST_PACKED = 256 * MIB  # of an archive member, which is read into memory: its tables need random access


class TfliteFormat(Format):
    """TensorFlow Lite files, with signatures or without, quantised or not."""

    name = "tflite"
    loader = Path(__file__).with_name("loader.py")
    suffixes = (".tflite",)
    distributions = (
        # compilers and drivers of other processors, which need libraries of their vendors
        Distribution(
            name="ai-edge-litert",
            unused_files=(
                "ai_edge_litert/libLiteRtWebGpuAccelerator.so",
                "ai_edge_litert/tools/apply_plugin_main",
                "ai_edge_litert/vendors",
            ),
            strip=("ai_edge_litert",),
        ),
    )
    kinds = (
        Kind(
            name="TensorFlow Lite `.tflite`",
            reads="signatures, tensors, dynamic axes, quantisation, custom operators",
            serves="the newest ai-edge-litert; quantised values as whole numbers",
            proof="tests/integration/test_tflite.py",
        ),
    )

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The model's description; None for other files. Raises UnreadableModelError for a broken model."""
        if artifact.head[4:8] != b"TFL3":
            return None
        try:
            model = _read(artifact)
        except (CutOffError, RecursionError) as stopped:
            raise UnreadableModelError(
                f"{artifact.name} begins like a TensorFlow Lite model, but cannot be read: {stopped}.",
                hint="Export the model again, or fetch the file again.",
            ) from stopped
        problem, foreign = _problem(model), [name for name in model.custom if name not in _KNOWN]
        signatures = () if problem or foreign else tuple(_signature(call) for call in model.calls)
        findings = tuple(
            Finding(callable=name, why="a custom operator that the runtime does not have", verdict="unknown")
            for name in foreign
        )
        if model.newer:
            findings += (Finding(callable="tflite.Model", why=_NEWER, verdict="unknown"),)
        return ModelInfo(
            path=artifact.path,
            format="tflite",
            framework="ai-edge-litert",
            framework_version=None,
            root_class="tflite.Model",
            task=None,
            signatures=signatures,
            safety=Safety(verdict="unknown" if findings else "safe", findings=findings),
            size=artifact.size,
            requirements=(Requirement(module="ai_edge_litert", distribution="ai-edge-litert", newest=True),),
            notices=notices(_warnings(model, problem, foreign)),
            details=_details(model),
            advice="" if signatures else _advice(foreign),
            names={"operators": model.custom},
        )


def _read(artifact: Artifact) -> Model:
    if artifact.packed is None or artifact.tree is None:
        with opened(artifact.path) as data:
            return read_model(data)
    content = artifact.tree.read(artifact.packed, _MOST_PACKED + 1)
    if len(content) > _MOST_PACKED:
        raise CutOffError("it is too large to be read inside an archive; unpack it")
    return read_model(Bytes(len(content), data=content))


def _problem(model: Model) -> str:
    if not model.calls:
        return "it has no graph"
    for call in model.calls:
        if not call.inputs or not call.outputs:
            return f"{call.key or 'the graph'} has no {'inputs' if not call.inputs else 'outputs'}"
        strange = [one.name for one in (*call.inputs, *call.outputs) if not one.dtype]
        if strange:
            return f"requests cannot contain {', '.join(strange[:3])}"
    return ""


def _advice(foreign: list[str]) -> str:
    own = "a predictor of your own can serve it: `predictor: predict.py`"
    flex = [name for name in foreign if name.startswith("Flex")]
    if flex:
        names = ", ".join(flex[:3])
        return (
            f"It uses TensorFlow's own operators ({names}), which ai-edge-litert lacks: pack the SavedModel, or {own}."
        )
    if foreign:
        return f"With the library that provides the operators {', '.join(foreign[:3])}, {own}."
    return f"{own[0].upper()}{own[1:]}."


def _signature(call: Call) -> Signature:
    batch = _batch(call)
    layout: Layout = "tensors"
    only = call.inputs[0]
    if len(call.inputs) == 1 and len(only.shape) == 2 and batch != "none" and only.dtype not in ("BYTES", "BOOL"):
        layout = "matrix"
    name = call.key or "predict"
    inputs = tuple(_spec(one, batch) for one in call.inputs)
    return with_sizes(
        Signature(
            name=name,
            method=name,
            inputs=inputs,
            not_null=texts_of(inputs),
            outputs=tuple(_spec(one, batch) for one in call.outputs),
            layout=layout,
            batch=batch,
        )
    )


def _batch(call: Call) -> Batch:
    """Any number of rows if axis 0 is dynamic everywhere; one row if it is 1 or dynamic; else no row axis."""
    first = [one.shape[0] if one.shape else 0 for one in call.inputs]
    if all(size == -1 for size in first) and all(one.shape[:1] == (-1,) for one in call.outputs):
        return "any"
    return "one" if all(size in (1, -1) for size in first) else "none"


def _spec(tensor: Tensor, batch: Batch) -> TensorSpec:
    whole = batch == "none" or (batch == "one" and tensor.shape[:1] not in ((1,), (-1,)))
    return TensorSpec(name=tensor.name, dtype=tensor.dtype, shape=(-1, *(tensor.shape if whole else tensor.shape[1:])))


def _warnings(model: Model, problem: str, foreign: list[str]) -> Iterator[Notice | str]:
    if foreign:
        yield no_signature(f"the runtime does not have its operators {', '.join(foreign[:3])}")
    elif problem:
        yield no_signature(problem)
    quantised = sorted({one.name for call in model.calls for one in call.inputs if one.scale is not None})
    if quantised:
        names = ", ".join(quantised[:3])
        yield f"Quantised inputs ({names}) take the model's whole numbers; the details list scale and zero point."
    if model.stateful:
        yield "It keeps state between calls: a prediction depends on earlier rows, and on the worker that got them."


def _details(model: Model) -> dict[str, Any]:
    quantised = {
        one.name: {"scale": one.scale, "zero": one.zero}
        for call in model.calls
        for one in (*call.inputs, *call.outputs)
        if one.scale is not None
    }
    return {
        "schema_version": model.version,
        "description": model.description,
        "operators": model.operators,
        **({"custom_operators": list(model.custom)} if model.custom else {}),
        **({"metadata": list(model.metadata)} if model.metadata else {}),
        **({"quantization": quantised} if quantised else {}),
    }
