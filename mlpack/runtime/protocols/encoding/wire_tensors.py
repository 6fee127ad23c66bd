"""Open Inference tensors between the wire, JSON or binary, and arrays; binary ones never pass through Python's lists."""

from __future__ import annotations

import struct
from itertools import chain
from math import prod
from typing import Any, Dict, List, Tuple, Union

import numpy as np

from ...errors import BadInputError, TooManyRowsError
from ...models.predictor import Array
from .binary import as_text, from_base64, to_base64
from .casting import CastError, Rules, cast, shown, unravel
from .fitting import NUMPY, dtype_name
from .text import dump

_MOST_AXES = 16
_BASE64 = "base64"
Part = Union[bytes, "memoryview[int]"]


def split_body(body: bytes, header_length: str) -> Tuple[bytes, "memoryview[int]"]:
    """The JSON part of a body, and the tensors after it; `header_length` is Inference-Header-Content-Length, "" for none."""
    if not header_length:
        return body, memoryview(b"")
    if not (header_length.isascii() and header_length.isdigit()) or int(header_length[:18]) > len(body):
        raise BadInputError(f"Inference-Header-Content-Length is {header_length[:40]}, of a body of {len(body)} bytes")
    length = int(header_length)
    return body[:length], memoryview(body)[length:]


def read_tensors(inputs: Any, binary: "memoryview[int]", max_rows: int, *, infinite: bool = False) -> Dict[str, Array]:
    """The request's `inputs` as arrays by name; those with `binary_data_size` are taken from `binary` in their order.

    With `infinite` the JSON has a word for infinity.

    Raises:
        BadInputError: an entry is not one, its data do not fill its shape, or bytes are missing or left over.
        TooManyRowsError: more than `max_rows`, before anything is read.
    """
    if type(inputs) is not list or not inputs:
        raise BadInputError(f'"inputs" must be a list of tensors, not {shown(inputs)}')
    found: Dict[str, Array] = {}
    place = 0
    for entry in inputs:
        name, dtype, shape = _head(entry, max_rows)
        if name in found:
            raise BadInputError(f"the tensor {shown(name)} is there twice")
        size = _binary_size(entry, name)
        if size is None:
            found[name] = _from_json(entry.get("data"), name, dtype, shape, infinite=infinite)
            if dtype == "BYTES" and (entry.get("parameters") or {}).get("content_type") == _BASE64:
                found[name] = _unpacked(found[name], name)
            continue
        if place + size > len(binary):
            raise BadInputError(f"tensor {shown(name)}: {size} bytes are announced, {len(binary) - place} are there")
        found[name] = _from_bytes(binary[place : place + size], name, dtype, shape)
        place += size
    if place != len(binary):
        raise BadInputError(f"{len(binary) - place} bytes after the JSON belong to no tensor")
    return found


def write_tensor(name: str, array: Array, *, binary: bool) -> Tuple[Dict[str, Any], Part]:
    """An output's entry in the response, and the bytes that follow the JSON (none where it is not `binary`)."""
    dtype = dtype_name(array)
    entry: Dict[str, Any] = {"name": name, "datatype": dtype, "shape": list(array.shape)}
    if not binary:
        flat = array.ravel().tolist()
        return {**entry, **(_written(flat) if dtype == "BYTES" else {"data": flat})}, b""
    data: Part
    if dtype == "BYTES":
        parts = [_bytes(value) for value in array.ravel().tolist()]
        data = b"".join(chain.from_iterable((struct.pack("<I", len(part)), part) for part in parts))
    else:
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        data = little.reshape(-1).view(np.uint8).data if little.size else b""
    entry["parameters"] = {"binary_data_size": len(data)}
    return entry, data


def _head(entry: Any, max_rows: int) -> Tuple[str, str, List[int]]:
    """The entry's name, dtype and shape, judged."""
    if type(entry) is not dict or type(entry.get("name")) is not str:
        raise BadInputError(f"a tensor must be an object with name, shape, datatype and data, not {shown(entry)}")
    name, dtype, shape = entry["name"], entry.get("datatype"), entry.get("shape")
    if type(dtype) is not str or (dtype not in NUMPY and dtype != "BYTES"):
        raise BadInputError(f"tensor {shown(name)}: the datatype {shown(dtype)} is none of {', '.join(NUMPY)}, BYTES")
    if type(shape) is not list or len(shape) > _MOST_AXES or any(type(one) is not int or one < 1 for one in shape):
        raise BadInputError(
            f"tensor {shown(name)}: the shape must be a list of at most {_MOST_AXES} sizes of 1 or more"
        )
    if shape and shape[0] > max_rows:
        raise TooManyRowsError(
            f"{shape[0]} rows are more than {max_rows}; send them in several requests",
            detail={"rows": shape[0], "max_rows": max_rows},
        )
    return name, dtype, shape


def _binary_size(entry: Dict[str, Any], name: str) -> Any:
    parameters = entry.get("parameters") or {}
    if type(parameters) is not dict:
        raise BadInputError(f"tensor {shown(name)}: the parameters must be an object")
    if "shared_memory_region" in parameters:
        raise BadInputError(f"tensor {shown(name)}: shared memory is not read here; send the data")
    size = parameters.get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0 or "data" in entry:
        raise BadInputError(f"tensor {shown(name)}: it has either data or a binary_data_size of 0 or more")
    return size


def _from_json(data: Any, name: str, dtype: str, shape: List[int], *, infinite: bool) -> Array:
    """`data` is flat or nested, in row-major order."""
    count = prod(shape)
    if type(data) is not list:
        raise BadInputError(f"tensor {shown(name)}: the data must be a list, not {shown(data)}")
    values: List[Any] = data
    if values and type(values[0]) is list:
        for size in shape[1:]:
            if set(map(type, values)) != {list} or set(map(len, values)) != {size}:
                raise BadInputError(f"tensor {shown(name)}: the nested data are not of shape {shape}")
            values = list(chain.from_iterable(values))
    if len(values) != count:
        raise BadInputError(f"tensor {shown(name)}: shape {shape} holds {count} values, got {len(values)}")
    try:
        return cast(values, dtype, Rules(infinite=infinite)).reshape(shape)
    except CastError as error:
        misfit = error.misfits[0]
        place = unravel(misfit.place, tuple(shape))
        raise BadInputError(f"tensor {shown(name)} at {place}: expected {misfit.expected}, got {misfit.got}") from error


def _unpacked(array: Array, name: str) -> Array:
    """What Base64 stands for: texts where it is UTF-8, else bytes; null stays missing."""
    for place, value in enumerate(array.flat):
        if value is not None:
            array.flat[place] = as_text(from_base64(value, f"tensor {shown(name)}"))
    return array


def _from_bytes(data: "memoryview[int]", name: str, dtype: str, shape: List[int]) -> Array:
    count = prod(shape)
    if dtype == "BYTES":
        return _texts(data, name, count).reshape(shape)
    kind = np.dtype(NUMPY[dtype])
    if count * kind.itemsize != len(data):
        raise BadInputError(
            f"tensor {shown(name)}: shape {shape} of {dtype} takes {count * kind.itemsize} bytes, got {len(data)}"
        )
    if dtype == "BOOL":  # any byte but 0 is true; numpy's own must be 0 or 1
        booleans: Array = np.frombuffer(data, dtype=np.uint8) != 0
        return booleans.reshape(shape)
    # one copy: what lies after the JSON is not aligned and cannot be written to, and some models want both
    array: Array = np.frombuffer(data, dtype=kind.newbyteorder("<")).astype(kind)
    return array.reshape(shape)


def _texts(data: "memoryview[int]", name: str, count: int) -> Array:
    """Elements with their length before each; UTF-8 as texts, anything else as bytes."""
    if count * 4 > len(data):
        raise BadInputError(f"tensor {shown(name)}: {len(data)} bytes cannot hold {count} values of BYTES")
    table = np.empty(count, dtype=object)
    raw = bytes(data)
    place = 0
    for number in range(count):
        end = place + 4
        if end > len(raw):
            raise BadInputError(f"tensor {shown(name)}: value {number} is cut off")
        length = int.from_bytes(raw[place:end], "little")
        place = end + length
        if place > len(raw):
            raise BadInputError(f"tensor {shown(name)}: value {number} is cut off")
        table[number] = as_text(raw[end:place])
    if place != len(raw):
        raise BadInputError(f"tensor {shown(name)}: {len(raw) - place} bytes are left over")
    return table


def _written(flat: List[Any]) -> Dict[str, Any]:
    """BYTES in JSON: texts. The protocol has no word for other bytes: with any of them all are Base64, as `content_type` says.

    That parameter is the one of MLServer and its clients.
    """
    texts = [as_text(value) if isinstance(value, bytes) else _text(value) for value in flat]
    if all(isinstance(text, str) for text in texts):
        return {"data": texts}
    return {"parameters": {"content_type": _BASE64}, "data": [to_base64(_bytes(value)) for value in flat]}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dump(value).decode("ascii")


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else _text(value).encode("utf-8", "surrogatepass")
