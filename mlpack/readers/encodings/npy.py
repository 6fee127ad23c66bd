"""Read numpy's .npy files: the header, and whether the elements are raw bytes or a pickle."""

from __future__ import annotations

import ast
import re
import struct
from math import prod
from typing import Any

from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.dtypes import DType, parse_dtype
from mlpack.readers.pickles.values import Array
from mlpack.readers.streams import Source

MAGIC = b"\x93NUMPY"
_KEYS = {"descr", "fortran_order", "shape"}
_LONGEST_HEADER = 10_000  # numpy's own limit
_PYTHON2_LONG = re.compile(r"(\d)L\b")


def read_npy(source: Source, keep: int) -> tuple[Array, bool]:
    """The array of a .npy, and whether a pickle of its elements follows; raw bytes are read or skipped.

    Format: numpy.lib.format, versions 1 to 3. Raises CutOffError for a broken or truncated file.
    """
    version = _exactly(source, 8)[6:]
    if version not in (b"\x01\0", b"\x02\0", b"\x03\0"):
        raise CutOffError("the .npy file has an unknown version")
    width = "<H" if version[0] == 1 else "<I"
    (length,) = struct.unpack(width, _exactly(source, struct.calcsize(width)))
    if length > _LONGEST_HEADER:
        raise CutOffError("the .npy header is too long")
    dtype, shape, fortran = _header(_exactly(source, length), "utf-8" if version[0] == 3 else "latin-1")
    array = Array(dtype=dtype.form, shape=shape, fortran=fortran, fields=dtype.fields)
    if dtype.has_object:
        return array, True
    size = dtype.itemsize * prod(shape)
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


def _header(text: bytes, codec: str) -> tuple[DType, tuple[int, ...], bool]:
    try:
        header = ast.literal_eval(_PYTHON2_LONG.sub(r"\1", text.decode(codec).strip()))
        shape, fortran = header["shape"], header["fortran_order"]
        if header.keys() != _KEYS or not _is_shape(shape) or type(fortran) is not bool:
            raise ValueError("not numpy's")  # noqa: TRY301  # reported below with the other errors
        return _dtype(header["descr"]), shape, fortran
    except (ValueError, SyntaxError, TypeError, KeyError, AttributeError, RecursionError, MemoryError) as error:
        raise CutOffError("the .npy header is broken") from error


def _is_shape(shape: Any) -> bool:
    return type(shape) is tuple and all(type(extent) is int and extent >= 0 for extent in shape)


def _dtype(descr: Any) -> DType:
    """Parse numpy's description of a dtype: a text, (dtype, shape), or a list of (name or (title, name), dtype[, shape])."""
    if isinstance(descr, str):
        return parse_dtype(descr)
    if isinstance(descr, tuple):
        form, shape = descr
        if not _is_shape(shape):
            raise ValueError("a part has no shape")
        inner = _dtype(form)
        size = inner.itemsize * prod(shape)
        return DType(form=f"|V{size}", itemsize=size, has_object=inner.has_object)
    fields: list[tuple[str, str]] = []
    size, has_object = 0, False
    for name, *form in descr:
        inner = _dtype(form[0] if len(form) == 1 else tuple(form))
        size += inner.itemsize
        has_object = has_object or inner.has_object
        fields.append((name if isinstance(name, str) else str(name[1]), inner.form))
    return DType(form=f"|V{size}", itemsize=size, has_object=has_object, fields=tuple(fields))
