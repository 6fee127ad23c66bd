"""Small TensorFlow Lite files, put together from the schema's own classes: each function gives a file's bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

TYPES = schema.TensorType


def adding(
    shape: Sequence[int],
    *,
    free: Sequence[int] | None = None,
    dtype: int = TYPES.FLOAT32,
    scale: float | None = None,
    zero: int = 0,
    key: str | None = None,
    custom: str | None = None,
    names: str = "aby",
    outputs: Sequence[int] = (2,),
) -> bytes:
    """y = a + b of these axes; `free` names those that are free, `key` gives it a signature, `custom` another operator.

    `names` are those of the tensors, `outputs` the places of those that are answered.
    """
    tensors = [_tensor(name, shape, free, dtype, scale, zero) for name in names]
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs = tensors, [0, 1], list(outputs)
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1], [2]
    if custom is None:
        operator.builtinOptionsType = schema.BuiltinOptions.AddOptions
        operator.builtinOptions = schema.AddOptionsT()
    graph.operators = [operator]
    code = schema.OperatorCodeT()
    code.builtinCode = schema.BuiltinOperator.ADD if custom is None else schema.BuiltinOperator.CUSTOM
    code.deprecatedBuiltinCode = code.builtinCode
    code.customCode = custom
    model = schema.ModelT()
    model.version, model.description = 3, "tests"
    model.operatorCodes, model.subgraphs, model.buffers = [code], [graph], [schema.BufferT()]
    if key is not None:
        model.signatureDefs = [_signature(key)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(
    name: str, shape: Sequence[int], free: Sequence[int] | None, dtype: int, scale: float | None, zero: int
) -> Any:
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type, tensor.buffer, tensor.hasRank = (
        f"graph_{name}:0",
        list(shape),
        dtype,
        0,
        True,
    )
    if free is not None:
        tensor.shapeSignature = list(free)
    if scale is not None:
        told = schema.QuantizationParametersT()
        told.scale, told.zeroPoint = [scale], [zero]
        tensor.quantization = told
    return tensor


def _signature(key: str) -> Any:
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = key, 0
    signature.inputs = [_named("left", 0), _named("right", 1)]
    signature.outputs = [_named("sum", 2)]
    return signature


def _named(name: str, place: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, place
    return entry
