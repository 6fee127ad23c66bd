"""NumPy's .npy format over HTTP, read without pickles and without believing its header."""

from __future__ import annotations

import io
from math import prod
from typing import Any, List, Tuple

import numpy as np

from ...errors import BadInputError, NotAcceptableError
from ...models.predictor import Array
from .binary import as_text
from .casting import shown
from .fitting import NAMES, shown_shape

_LONGEST_HEADER = 10_000


def read_npy(body: bytes) -> Array:
    """The array in the body; texts become objects.

    Raises:
        BadInputError: not .npy, cut off, or of a dtype that is neither a number nor a text.
    """
    file = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(file)
        if int.from_bytes(body[8:10] if version == (1, 0) else body[8:12], "little") > _LONGEST_HEADER:
            raise BadInputError("the header of the .npy is too long")  # noqa: TRY301 - passed on below
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except BadInputError:
        raise
    except Exception as error:  # the header is a Python literal: whatever is wrong with it
        raise BadInputError("the body is not .npy: its header cannot be read") from error
    if (
        dtype.hasobject
        or dtype.names
        or dtype.subdtype
        or (dtype.newbyteorder("=") not in NAMES and dtype.kind not in "US")
    ):
        raise BadInputError(f"a .npy of dtype {shown(str(dtype))} is not taken; send numbers or texts")
    data = body[file.tell() :]
    if (
        len(shape) > 16
        or any(type(size) is not int or size < 0 for size in shape)
        or prod(shape) * dtype.itemsize != len(data)
        or not dtype.itemsize
    ):
        raise BadInputError(f"a .npy of shape {shown_shape(shape[:16])[:200]} does not hold {len(data)} bytes")
    array: Any = np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")
    return _texts(array) if dtype.kind in "US" else np.array(array, dtype=dtype.newbyteorder("="), order="C")


def write_npy(outputs: Any) -> bytes:
    """The only output, or the first of several, as .npy; texts are fixed-width ones."""
    array = np.asarray(next(iter(outputs.values())))
    if array.dtype == object:
        array = _fixed([as_text(value) if isinstance(value, bytes) else value for value in array.ravel()], array.shape)
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def _fixed(values: List[Any], shape: Tuple[int, ...]) -> Array:
    """Texts of fixed width; bytes, once some are no text. numpy fills up with NUL, so that bytes must not end with it."""
    kind = "S" if any(isinstance(value, bytes) for value in values) else "U"
    texts: List[Any] = [value if isinstance(value, (str, bytes)) else str(value) for value in values]
    if kind == "S":
        texts = [value.encode("utf-8") if isinstance(value, str) else value for value in texts]
        if any(value.endswith(b"\0") for value in texts):
            raise NotAcceptableError("a .npy cannot hold the bytes that the model answered; accept application/json")
    array: Array = np.array(texts, dtype=kind).reshape(shape)
    return array


def _texts(array: Any) -> Array:
    try:
        texts: Array = np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
        return texts.astype(object)
    except (UnicodeDecodeError, ValueError) as error:
        raise BadInputError("the texts of the .npy are not UTF-8") from error
