"""Calls whose result is plain data, worked out here: arrays, numpy scalars, encoded bytes, sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlpack.readers.dtypes import dtype_of
from mlpack.readers.limits import CutOffError
from mlpack.readers.opcodes import Machine
from mlpack.readers.structures import key_of
from mlpack.readers.values import Array, Blob, Global

Fold = Callable[[Machine, tuple[Any, ...]], Any]
_PLAIN_SCALARS = "biufSU"
_PLAIN_TYPES = ("bytearray", "complex", "frozenset", "range", "set", "slice")
# numpy pickles an array's making and its content apart: this stands for the array until BUILD brings the content.
_EMPTY = {"dtype": "|i1", "shape": (0,), "data": b""}


def fold(m: Machine, callable_: Any, args: tuple[Any, ...]) -> Any:
    """What a call gives when that is plain data, NotImplemented otherwise."""
    if not isinstance(callable_, Global):
        return NotImplemented
    known = _FOLDS.get((callable_.module, callable_.name))
    return known(m, args) if known else NotImplemented


def fill(m: Machine, array: Array, state: Any) -> None:
    """Put numpy's state into an array: ([version,] shape, dtype, Fortran order, bytes or list of objects)."""
    if isinstance(state, tuple) and len(state) == 5:
        state = state[1:]
    if not isinstance(state, tuple) or len(state) != 4 or not isinstance(state[0], tuple):
        raise CutOffError("an array's state is not understood")
    shape, dtype, fortran, content = state
    _set(m, array, dtype, shape, fortran=bool(fortran), content=content)


def _set(m: Machine, array: Array, dtype: Any, shape: Any, *, fortran: bool, content: Any) -> None:
    parsed = dtype_of(dtype)
    values = {
        "dtype": parsed.form,
        "shape": tuple(int(extent) for extent in shape),
        "fortran": fortran,
        "fields": parsed.fields,
        "data": None,
        "objects": None,
    }
    if isinstance(content, list):
        values["objects"] = tuple(content)
    elif isinstance(content, str):
        values["data"] = content.encode("latin-1")  # Python 2's bytes
    elif isinstance(content, (bytes, bytearray)) and len(content) <= m.limits.kept_array:
        values["data"] = bytes(content)
    for name, value in values.items():
        object.__setattr__(array, name, value)  # frozen for readers; only here is it still in the making


def _reconstruct(_m: Machine, _args: tuple[Any, ...]) -> Any:
    return Array(**_EMPTY)  # type: ignore[arg-type]  # the values of a dict literal are not told apart


def _by_dill(m: Machine, args: tuple[Any, ...]) -> Any:
    """An array as dill writes it: numpy's own call, its arguments and the array's state in one."""
    made = args[0] if len(args) in (3, 4) else None
    if not isinstance(made, Global) or made.name != "_reconstruct" or not made.module.startswith("numpy."):
        return NotImplemented
    array = Array(**_EMPTY)  # type: ignore[arg-type]  # as above
    fill(m, array, args[2])
    return array


def _type_by_dill(m: Machine, args: tuple[Any, ...]) -> Any:
    """A plain type as dill writes it: a call with its name, whose result is called in turn."""
    if len(args) != 1 or args[0] not in _PLAIN_TYPES:
        return NotImplemented
    named = m.known.setdefault(("builtins", args[0]), Global("builtins", args[0]))
    m.record.names[named] = None
    return named


def _frombuffer(m: Machine, args: tuple[Any, ...]) -> Any:
    if len(args) != 4:
        return NotImplemented
    content, dtype, shape, order = args
    array = Array(**_EMPTY)  # type: ignore[arg-type]  # as above
    _set(m, array, dtype, shape, fortran=order == "F", content=content)
    return array


def _scalar(_m: Machine, args: tuple[Any, ...]) -> Any:
    if not args:
        return NotImplemented
    dtype = dtype_of(args[0])
    if len(args) < 2 or dtype.has_object:
        return args[1] if len(args) > 1 else NotImplemented
    raw = args[1].encode("latin-1") if isinstance(args[1], str) else args[1]
    if not isinstance(raw, bytes):
        return NotImplemented
    array = Array(dtype=dtype.form, shape=(), data=raw)
    values = array.values() if dtype.form[1] in _PLAIN_SCALARS else None
    return values[0] if values and len(values) == 1 else array


def _encode(_m: Machine, args: tuple[Any, ...]) -> Any:
    # Protocols 0 to 2 write bytes as text and a call that encodes it.
    if len(args) != 2 or args[1] not in ("latin1", "latin-1"):
        return NotImplemented
    if isinstance(args[0], Blob):
        return Blob(kind="bytes", size=args[0].size, head=args[0].head)
    return args[0].encode("latin-1") if isinstance(args[0], str) else NotImplemented


def _bytes(_m: Machine, args: tuple[Any, ...]) -> Any:
    return b"" if not args else NotImplemented


def _bytearray(_m: Machine, args: tuple[Any, ...]) -> Any:
    if len(args) == 2 and isinstance(args[0], str) and args[1] in ("latin1", "latin-1"):
        return bytearray(args[0], "latin-1")
    if len(args) == 1 and isinstance(args[0], bytes):
        return bytearray(args[0])
    return bytearray() if not args else NotImplemented


def _set_of(_m: Machine, args: tuple[Any, ...]) -> Any:
    return set(map(key_of, args[0])) if len(args) == 1 and isinstance(args[0], list) else NotImplemented


def _frozenset_of(_m: Machine, args: tuple[Any, ...]) -> Any:
    return frozenset(map(key_of, args[0])) if len(args) == 1 and isinstance(args[0], list) else NotImplemented


def _complex(_m: Machine, args: tuple[Any, ...]) -> Any:
    return complex(*args) if len(args) == 2 and all(isinstance(part, float) for part in args) else NotImplemented


_FOLDS: dict[tuple[str, str], Fold] = {
    ("_codecs", "encode"): _encode,
    ("dill._dill", "_create_array"): _by_dill,
    ("dill._dill", "_load_type"): _type_by_dill,
}
for _python in ("builtins", "__builtin__"):
    _FOLDS[_python, "complex"] = _complex
    _FOLDS[_python, "bytes"] = _bytes
    _FOLDS[_python, "bytearray"] = _bytearray
    _FOLDS[_python, "set"] = _set_of
    _FOLDS[_python, "frozenset"] = _frozenset_of
for _numpy in ("numpy.core", "numpy._core"):
    _FOLDS[f"{_numpy}.multiarray", "_reconstruct"] = _reconstruct
    _FOLDS[f"{_numpy}.multiarray", "scalar"] = _scalar
    _FOLDS[f"{_numpy}.numeric", "_frombuffer"] = _frombuffer
    _FOLDS[f"{_numpy}.multiarray", "_frombuffer"] = _frombuffer
