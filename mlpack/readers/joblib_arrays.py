"""joblib's arrays: raw bytes, or a pickle of objects, right behind the wrapper that describes them."""

from __future__ import annotations

from typing import Any

from mlpack.readers.dtypes import DType, dtype_of
from mlpack.readers.limits import CutOffError
from mlpack.readers.opcodes import Machine, is_opcode
from mlpack.readers.values import Array, Global, Instance

_MODULES = frozenset(
    f"{home}joblib.{module}"
    for home in ("", "sklearn.externals.")
    for module in ("numpy_pickle", "numpy_pickle_compat")
)
_WRAPPERS = frozenset({"NumpyArrayWrapper", "NDArrayWrapper", "ZNDArrayWrapper"})


def is_wrapper(value: Instance) -> bool:
    """True for an object that joblib's loader replaces by an array as soon as it has its state."""
    return _class(value) is not None


def _class(value: Instance) -> str | None:
    called: Any = value.callable
    if isinstance(called, Global) and called.name == "_reconstructor" and value.args:
        called = value.args[0]
    if isinstance(called, Global) and called.module in _MODULES and called.name in _WRAPPERS:
        return called.name
    return None


def read_wrapped(m: Machine, wrapper: Instance) -> None:
    """Replace the wrapper on top of the stack by its array and move past the array's bytes.

    Object arrays are a pickle of their own in the stream, which is walked next. Before joblib 0.10 arrays lay in files
    beside this one: their wrappers are collected for the caller. A plain loader leaves the wrapper as it is.
    """
    if not m.joblib or m.outer:
        return
    if _class(wrapper) != "NumpyArrayWrapper":
        m.wrappers.append(wrapper)
        return
    state = wrapper.attributes()
    if not {"shape", "dtype", "order"} <= state.keys():
        raise CutOffError("an array of joblib's does not tell its shape")
    dtype = dtype_of(state["dtype"])
    shape = tuple(_extent(extent) for extent in state["shape"])
    if not m.arrays:
        m.plain_goes_on = not m.at_end() and is_opcode(m.buf[m.pos])
    m.arrays += 1
    m.stack.pop()
    if dtype.has_object:
        m.enter(Array(dtype=dtype.form, shape=shape, fields=dtype.fields))
    else:
        m.stack.append(_raw(m, dtype, shape, state))


def _extent(extent: Any) -> int:
    if not isinstance(extent, int) or extent < 0:
        raise CutOffError("an array of joblib's has no sound shape")
    return extent


def _raw(m: Machine, dtype: DType, shape: tuple[int, ...], state: dict[str, Any]) -> Array:
    if state.get("numpy_array_alignment_bytes") is not None:  # joblib 1.2 and up: the padding's length, the padding
        m.skip(m.take(1)[0])
    size = dtype.itemsize
    for extent in shape:
        size *= extent
    data = None
    if size <= m.limits.kept_array:
        data = m.take(size)
    else:
        m.skip(size)
    fortran = state["order"] == "F"
    return Array(dtype=dtype.form, shape=shape, fortran=fortran, data=data, fields=dtype.fields)
