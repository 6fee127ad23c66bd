"""Rows asked through tritonclient, the real client of the Open Inference Protocol, as JSON or as bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tritonclient.http as triton

from mlpack.artifacts.model import Signature
from tests.contract.served import Server

NUMPY: dict[str, Any] = {
    "BOOL": np.bool_, "INT8": np.int8, "INT32": np.int32, "INT64": np.int64, "UINT8": np.uint8, "FP16": np.float16,
    "FP32": np.float32, "FP64": np.float64, "BYTES": np.object_,
}  # fmt: skip


def client_of(server: Server) -> Any:
    """A client of the server; close it."""
    return triton.InferenceServerClient(f"127.0.0.1:{server.port}")


def tensor(name: str, array: Any, dtype: str, *, binary: bool) -> Any:
    """An input of the client's own class."""
    found = triton.InferInput(name, list(array.shape), dtype)
    found.set_data_from_numpy(array, binary_data=binary)
    return found


def infer(server: Server, signature: Signature, rows: Sequence[Mapping[str, Any]], *, how: str) -> list[Any]:
    """The outputs in the signature's order: `how` is "v2 json", "v2 binary", or "v2 columns" (one tensor a column)."""
    binary = how != "v2 json"
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    if signature.layout == "matrix" and how != "v2 columns":
        matrix = np.array([list(row.values()) for row in rows], dtype=np.float64)
        inputs = [tensor(signature.inputs[0].name, matrix, "FP64", binary=binary)]
    else:
        dtypes = {spec.name: spec.dtype for spec in signature.inputs}
        inputs = []
        for name, values in columns.items():
            dtype = dtypes.get(name, "FP64")
            array = np.array(values, dtype=NUMPY[dtype])
            # [n] and [n, 1] both mean a column
            shaped = array.reshape(-1, 1) if signature.layout == "columns" and name < "d" else array
            inputs.append(tensor(name, shaped, dtype, binary=binary))
    outputs = [triton.InferRequestedOutput(spec.name, binary_data=binary) for spec in signature.outputs]
    client = client_of(server)
    try:
        name = client.get_model_repository_index()[0]["name"]
        result = client.infer(name, inputs, outputs=outputs, request_id="r-1")
        assert result.get_response()["id"] == "r-1"
        found = [result.as_numpy(spec.name) for spec in signature.outputs]
    finally:
        client.close()
    return [_texts(array) if array.dtype == object else array for array in found]


def _texts(array: Any) -> list[str]:
    return [value.decode("utf-8") if isinstance(value, bytes) else value for value in array.ravel()]
