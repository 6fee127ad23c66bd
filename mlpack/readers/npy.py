"""numpy's .npy: its header, and whether its elements are raw bytes or a pickle."""

from __future__ import annotations

import ast
import re
import struct
from typing import Any

from mlpack.readers.dtypes import DType, parse_dtype
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import Source
from mlpack.readers.values import Array

MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000  # numpy's own bound
_PYTHON2_LONG = re.compile(r"(\d)L\b")


def read_npy(source: Source, keep: int) -> tuple[Array, bool]:
    """The array of a .npy and whether a pickle of its elements follows; its raw bytes are read or stepped over.

    Format: numpy.lib.format, versions 1 to 3. Raises CutOffError for what is broken or cut off.
    """
    start = _exactly(source, 8)
    width = "<H" if start[6] == 1 else "<I"
    (length,) = struct.unpack(width, _exactly(source, struct.calcsize(width)))
    if length > _LONGEST_HEADER:
        raise CutOffError("the .npy header is too long")
    dtype, shape, fortran = _header(_exactly(source, length))
    array = Array(dtype=dtype.form, shape=shape, fortran=fortran, fields=dtype.fields)
    if dtype.has_object:
        return array, True
    size = dtype.itemsize
    for extent in shape:
        size *= extent
    if size <= keep:
        object.__setattr__(array, "data", _exactly(source, size))
    elif source.skip(size) < size:
        raise CutOffError("the .npy array is cut off")
    return array, False


def _exactly(source: Source, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = source.read(count - len(data))
        if not more:
            raise CutOffError("the .npy file is cut off")
        data += more
    return data


def _header(text: bytes) -> tuple[DType, tuple[int, ...], bool]:
    try:
        header = ast.literal_eval(_PYTHON2_LONG.sub(r"\1", text.decode("utf-8").strip()))
        shape = tuple(int(extent) for extent in header["shape"])
        if any(extent < 0 for extent in shape):
            raise ValueError("negative extent")  # noqa: TRY301  # told in one place with the other faults
        return _dtype(header["descr"]), shape, bool(header["fortran_order"])
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise CutOffError("the .npy header is broken") from error


def _dtype(descr: Any) -> DType:
    if isinstance(descr, str):
        return parse_dtype(descr)
    fields: list[tuple[str, str]] = []
    size, has_object = 0, False
    for name, form, *repeat in descr:
        inner = _dtype(form)
        count = 1
        for extent in repeat[0] if repeat else ():
            count *= int(extent)
        size += inner.itemsize * count
        has_object = has_object or inner.has_object
        fields.append((str(name), inner.form))
    return DType(form=f"|V{size}", itemsize=size, has_object=has_object, fields=tuple(fields))
