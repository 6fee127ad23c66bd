"""joblib's arrays: raw bytes, or a pickle of objects, directly after the wrapper that describes them.

joblib's loader replaces a wrapper by an array as soon as the wrapper has its state, and reads the array's bytes from the
file. So a wrapper is accepted only in the exact form that joblib writes; anything else that is or may be a wrapper is
recorded as dangerous.
"""

from __future__ import annotations

from math import prod
from typing import Any

from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.bytewindow import CraftedError
from mlpack.readers.pickles.dtypes import DType
from mlpack.readers.pickles.folding import built_dtype
from mlpack.readers.pickles.opcodes import Machine, is_opcode
from mlpack.readers.pickles.values import Array, Global, Instance

_WRAPPERS = frozenset({"NumpyArrayWrapper", "NDArrayWrapper", "ZNDArrayWrapper"})
_CLASSES = frozenset(
    (f"{home}joblib.{module}", name)
    for home in ("", "sklearn.externals.")
    for module in ("numpy_pickle", "numpy_pickle_compat")
    for name in _WRAPPERS
    if (module, name) != ("numpy_pickle_compat", "NumpyArrayWrapper")  # which does not exist
)
_STATES = {
    "NumpyArrayWrapper": ({"subclass", "shape", "order", "dtype"}, {"allow_mmap", "numpy_array_alignment_bytes"}),
    "NDArrayWrapper": ({"filename", "subclass"}, {"allow_mmap"}),
    "ZNDArrayWrapper": ({"filename", "init_args", "state"}, set()),
}
_SUBCLASSES = frozenset({("numpy", "ndarray"), ("numpy", "matrix"), ("numpy.matrixlib.defmatrix", "matrix")} | {
    (module, "memmap") for module in ("numpy", "numpy.core.memmap", "numpy._core.memmap")
})  # fmt: skip


def is_wrapper_class(value: Any) -> bool:
    """True for a class of joblib whose objects its loader replaces by arrays."""
    return isinstance(value, Global) and (value.module, value.name) in _CLASSES


def may_be_wrapper_class(name: Global) -> bool:
    """True for a name that may refer to such a class, but is not the name that joblib writes."""
    if is_wrapper_class(name):
        return False
    last = name.name.rpartition(".")[2]
    return last in _WRAPPERS and ("joblib" in str(name) or "." in name.name or "numpy_pickle" in str(name))


def made_wrapper(callable_: Any, args: tuple[Any, ...], *, new: bool) -> bool:
    """Whether this call creates a wrapper; raises CraftedError if it may do so in another form than joblib's."""
    if is_wrapper_class(callable_):
        if new and not args:
            return True
    elif not any(is_wrapper_class(one) for one in args):
        return False
    elif not new and is_reconstructor(callable_) and is_wrapper_class(args[0]) and _bare(args):
        return True
    raise CraftedError(str(callable_), "it creates joblib's wrapper of an array in a form that joblib never writes")


def is_reconstructor(callable_: Any) -> bool:
    """True for copyreg's function that creates an object of a class."""
    return isinstance(callable_, Global) and str(callable_) in ("copyreg._reconstructor", "copy_reg._reconstructor")


def _bare(args: tuple[Any, ...]) -> bool:
    return len(args) == 3 and str(args[1]) in ("builtins.object", "__builtin__.object") and args[2] is None


def is_wrapper(value: Instance) -> bool:
    """True for an object that joblib's loader replaces by an array as soon as it has its state."""
    return _class(value) is not None


def _class(value: Instance) -> str | None:
    called: Any = value.callable
    if is_reconstructor(called) and value.args:
        called = value.args[0]
    return called.name if is_wrapper_class(called) else None


def read_wrapped(m: Machine, wrapper: Instance, state: Any) -> None:
    """Set the state of the wrapper on top of the stack, replace it by its array, and move past the array's bytes.

    Object arrays are a nested pickle in the stream, which is walked next. Before joblib 0.10 arrays were in side files;
    their wrappers are collected for the caller. A plain loader does not replace the wrapper.
    """
    kind = _class(wrapper) or ""
    needed, more = _STATES[kind]
    if type(state) is not dict or not needed <= state.keys() <= needed | more or wrapper is not m.waiting:
        raise CraftedError(wrapper.class_name, "it gets a state in a form that joblib never writes")
    m.waiting = None
    m.end_waiting()
    wrapper.state = state
    if not m.joblib or m.outer:
        return
    m.leave_frame("an array's bytes follow before its frame ends")
    if kind != "NumpyArrayWrapper":
        _check_old(m, wrapper, state)
        m.wrappers.append(wrapper)
        return
    dtype, shape = _described(m, wrapper, state)
    if not m.array_met:
        m.array_met, m.continues_after_array = True, not m.at_end() and is_opcode(m.buf[m.pos])
    m.arrays += 1
    m.stack.pop()
    if dtype.has_object:
        m.enter(Array(dtype=dtype.form, shape=shape, fields=dtype.fields))
    else:
        m.stack.append(_raw(m, dtype, shape, state))


def _check_old(m: Machine, wrapper: Instance, state: dict[str, Any]) -> None:
    """Raise CraftedError unless an array in a side file is described in the form of joblib before 0.10."""
    right = isinstance(state["filename"], str)
    if "subclass" in state:
        right = right and _is_array_class(state["subclass"])
    else:  # numpy's call that creates the array, and its state without bytes: (version, shape, dtype, Fortran order)
        init, more = state["init_args"], state["state"]
        right = right and type(init) is tuple and len(init) == 3 and _is_array_class(init[0])
        right = right and init[1:] in (((0,), b"b"), ((0,), "b")) and type(more) is tuple and len(more) == 4
        right = right and type(more[1]) is tuple and not built_dtype(m, more[2]).has_object
    if not right:
        raise CraftedError(wrapper.class_name, "its array is described in a form that joblib never writes")


def _is_array_class(value: Any) -> bool:
    return isinstance(value, Global) and (value.module, value.name) in _SUBCLASSES


def _described(m: Machine, wrapper: Instance, state: dict[str, Any]) -> tuple[DType, tuple[int, ...]]:
    shape, subclass, aligned = state["shape"], state["subclass"], state.get("numpy_array_alignment_bytes")
    if (
        type(shape) is not tuple
        or not all(type(extent) is int and extent >= 0 for extent in shape)
        or state["order"] not in ("C", "F")
        or not (aligned is None or type(aligned) is int)
        or type(state.get("allow_mmap", False)) is not bool
    ):
        raise CraftedError(wrapper.class_name, "its array's shape and order are in a form that joblib never writes")
    if not _is_array_class(subclass):
        raise CraftedError(wrapper.class_name, "its array has a class that joblib never writes in this form")
    return built_dtype(m, state["dtype"]), shape


def _raw(m: Machine, dtype: DType, shape: tuple[int, ...], state: dict[str, Any]) -> Array:
    if state.get("numpy_array_alignment_bytes") is not None:  # joblib 1.2 and newer: the padding's length, the padding
        m.skip(m.take(1)[0])
    size = dtype.itemsize * prod(shape)
    if size >= 1 << 63:  # joblib counts in 64 bits
        raise CutOffError("an array of joblib's is larger than any file")
    data = None
    if size <= m.limits.kept_array:
        data = m.take(size)
    else:
        m.skip(size)
    fortran = state["order"] == "F"
    return Array(dtype=dtype.form, shape=shape, fortran=fortran, data=data, fields=dtype.fields)
