"""Requests to members and their responses: V2 with binary tensors, and TensorFlow Serving's V1 in JSON."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple

import numpy as np

from ..card import TensorSpec
from ..errors import RequestError, ServeError
from ..models.predictor import Array, Arrays
from ..protocols.encoding.fitting import NUMPY
from ..protocols.encoding.text import dump, parse
from ..protocols.encoding.wire_tensors import read_tensors, split_body, write_tensor
from .plan import V1, Member, Query

_ROUNDING = 1e-3  # by which a probability may be outside of 0 to 1
_LENGTH = "Inference-Header-Content-Length"


class WireRequest(NamedTuple):
    """A request of a member: path, headers and body."""

    path: str
    headers: Dict[str, str]
    body: bytes


class BadResponseError(Exception):
    """The response of a member cannot be used: it is of another form, shape or dtype, or has values that are no numbers."""


def write_request(member: Member, query: Query, inputs: Arrays) -> WireRequest:
    """The request for the outputs that the query names; `inputs` are the ensemble's."""
    given = member_inputs(query, inputs)
    return _write_v1(member, query, given) if member.contract == V1 else _write_v2(member, query, given)


def read_response(member: Member, query: Query, headers: Any, body: bytes, rows: int) -> Arrays:
    """The outputs `[rows, ...]` of a response with status 200; raises BadResponseError."""
    try:
        outputs = _read_v1(body, query) if member.contract == V1 else _read_v2(headers.get(_LENGTH, ""), body, rows)
    except ServeError as error:
        raise BadResponseError(error.message) from error
    if query.output:
        if query.output not in outputs:
            raise BadResponseError(f"there is no output {query.output}; there is {', '.join(outputs) or 'none'}")
        outputs = {query.output: outputs[query.output]}
    if not outputs:
        raise BadResponseError("there are no outputs")
    return {name: _checked(name, array, rows, query) for name, array in outputs.items()}


def member_inputs(query: Query, inputs: Arrays) -> Arrays:
    """The ensemble's inputs in the form and order that a member takes, each cast to its dtype.

    Arrays of one dtype and order are not copied.
    """
    wanted, order = query.inputs, query.order
    arrays = list(inputs.values())
    if len(arrays) > 1:
        arrays = [arrays[place] for place in order] if order else arrays
        if len(wanted) == 1:  # columns for a matrix
            arrays = [np.column_stack(arrays)]
    elif len(wanted) > 1:  # a matrix for columns
        arrays = [arrays[0][:, place] for place in order or range(len(wanted))]
    elif order:
        arrays = [arrays[0][:, list(order)]]
    return {spec.name: _cast(array, spec) for spec, array in zip(wanted, arrays)}


def _cast(array: Array, spec: TensorSpec) -> Array:
    """The array in the member's dtype; raises RequestError for values that an integer of it cannot hold."""
    if spec.dtype == "BYTES":
        return array
    wanted = np.dtype(NUMPY[spec.dtype])
    if wanted.kind in "iu" and array.dtype != wanted and array.dtype.kind != "b":
        limits = np.iinfo(wanted)
        # compared as floats, so the largest values of 64 bits count as too large
        whole = (array == np.trunc(array)) & (array >= float(limits.min)) & (array < float(limits.max) + 1)
        if not whole.all():  # NaN neither
            raise RequestError(
                f"{spec.name} has values that are no whole numbers of {spec.dtype}, which a member takes"
            )
    return array.astype(wanted, copy=False)


def _write_v2(member: Member, query: Query, inputs: Arrays) -> WireRequest:
    """Numbers as bytes; texts with missing values as JSON, because the binary form has none."""
    written = [
        write_tensor(
            name, array, binary=member.binary and (array.dtype != object or None not in array.ravel().tolist())
        )
        for name, array in inputs.items()
    ]
    document: Dict[str, Any] = {
        "parameters": {
            **({"binary_data_output": True} if member.binary else {}),
            **({"method": query.method} if query.method else {}),
        },
        "inputs": [entry for entry, _ in written],
    }
    if query.output:
        wanted: Dict[str, Any] = {"name": query.output}
        document["outputs"] = [{**wanted, "parameters": {"binary_data": True}} if member.binary else wanted]
    head = dump(document)
    if not member.binary:
        return WireRequest(_infer_path(member), {"Content-Type": "application/json"}, head)
    return WireRequest(
        _infer_path(member),
        {"Content-Type": "application/octet-stream", _LENGTH: str(len(head))},
        b"".join([head, *(data for _, data in written)]),
    )


def _infer_path(member: Member) -> str:
    version = f"/versions/{member.version}" if member.version else ""
    return f"/v2/models/{member.model}{version}/infer"


def _read_v2(length: str, body: bytes, rows: int) -> Arrays:
    text, binary = split_body(body, length)
    document = parse(text, tokens=True)
    if type(document) is not dict:
        raise BadResponseError("it is no object with outputs")
    return read_tensors(document.get("outputs"), binary, max(rows, 1), infinite=True)


def _write_v1(member: Member, query: Query, inputs: Arrays) -> WireRequest:
    columns = {name: array.tolist() for name, array in inputs.items()}
    only = next(iter(columns.values()))
    instances = only if len(columns) == 1 else [dict(zip(columns, row)) for row in zip(*columns.values())]
    document: Dict[str, Any] = {"instances": instances}
    if query.method:
        document["signature_name"] = query.method
    version = f"/versions/{member.version}" if member.version else ""
    return WireRequest(
        f"/v1/models/{member.model}{version}:predict", {"Content-Type": "application/json"}, dump(document)
    )


def _read_v1(body: bytes, query: Query) -> Arrays:
    document = parse(body, tokens=True)
    predictions = document.get("predictions") if type(document) is dict else None
    if type(predictions) is not list or not predictions:
        raise BadResponseError("it is no object with predictions")
    if all(type(row) is dict for row in predictions):
        names = list(predictions[0])
        if any(list(row) != names for row in predictions):
            raise BadResponseError("its predictions have different outputs")
        return {name: _array([row[name] for row in predictions]) for name in names}
    array = _array(predictions)
    if query.classes and array.dtype.kind in "iu":  # JSON writes 1.0 as 1, perhaps
        array = array.astype(np.float64)
    return {query.output or "predictions": array}


def _array(values: List[Any]) -> Array:
    try:
        array: Array = np.array(values)
    except ValueError as error:
        raise BadResponseError("its predictions differ in their shape") from error
    if array.dtype.kind in "bif":
        return array
    texts = np.empty(len(values), dtype=object)
    texts[:] = values
    return texts


def _checked(name: str, array: Array, rows: int, query: Query) -> Array:
    """The output, if it can be used; the probabilities of both classes where it has those of the second only."""
    if query.second and array.shape in ((rows,), (rows, 1)) and array.dtype.kind == "f":
        second = array.reshape(rows)
        array = np.column_stack([1 - second, second])
    if array.ndim == 0 or len(array) != rows:
        raise BadResponseError(f"output {name} has the shape {list(array.shape)}, for {rows} rows")
    if query.classes and array.shape != (rows, len(query.classes)):
        raise BadResponseError(
            f"output {name} has the shape {list(array.shape)}; expected {[rows, len(query.classes)]}, one column a class"
        )
    if query.classes and array.dtype.kind != "f":
        raise BadResponseError(f"output {name} has no probabilities, but values of {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BadResponseError(f"output {name} has values that are no numbers (NaN or infinite)")
    if query.classes and not ((array >= -_ROUNDING) & (array <= 1 + _ROUNDING)).all():
        raise BadResponseError(f"output {name} has values that are no probabilities")
    return array
