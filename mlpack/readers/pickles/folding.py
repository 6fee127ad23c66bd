"""Evaluate calls whose result is plain data: arrays, numpy scalars, encoded bytes, sets."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.bytewindow import CraftedError
from mlpack.readers.pickles.dtypes import DType, dtype_of
from mlpack.readers.pickles.keys import key_of
from mlpack.readers.pickles.opcodes import Machine
from mlpack.readers.pickles.values import Array, Blob, Global, Instance

Fold = Callable[[Machine, tuple[Any, ...]], Any]
_PLAIN_SCALARS = "biufSU"
_DATES = ("datetime.date", "datetime.datetime", "datetime.timedelta")
_DEPTH = 8  # of lists in an element
_PLAIN_TYPES = ("bytearray", "complex", "frozenset", "range", "set", "slice")
_UNFILLED = (
    "|V0",
    (0,),
)  # numpy pickles an array's creation and its content separately: the placeholder until BUILD sets the content


def fold(m: Machine, callable_: Any, args: tuple[Any, ...]) -> Any:
    """The result of a call if it is plain data, else NotImplemented."""
    if not isinstance(callable_, Global):
        return NotImplemented
    known = _FOLDS.get((callable_.module, callable_.name))
    return known(m, args) if known else NotImplemented


def built_dtype(m: Machine, value: Any) -> DType:
    """The dtype that a value describes; one with a state was checked when the state was set."""
    held = m.dtypes.get(id(value))
    return held[1] if held else dtype_of(value)


def build_dtype(m: Machine, made: Instance, state: Any) -> None:
    """Set a dtype's state, which must directly follow its creation; otherwise earlier uses would change with it."""
    place = next((number for number, one in enumerate(m.young) if one is made), None)
    if place is None:
        raise CraftedError("numpy.dtype", "its state changes after it was used")
    del m.young[place:]
    made.state = state
    parts = state[2:5] if isinstance(state, tuple) else ()
    inner = [field[0] for field in parts[2].values() if isinstance(field, tuple) and field] if _is_dict(parts) else []
    if any(one is part for one in m.young for part in (*inner, *((parts[:1] and parts[0]) or ()))):
        raise CraftedError("numpy.dtype", "it is a part of itself")
    m.dtypes[id(made)] = made, dtype_of(made)


def _is_dict(parts: tuple[Any, ...]) -> bool:
    return len(parts) == 3 and isinstance(parts[2], dict)


def fill(m: Machine, array: Array, state: Any) -> None:
    """Put numpy's state into an array: ([version,] shape, dtype, Fortran order, bytes or list of objects)."""
    if (array.dtype, array.shape) != _UNFILLED:
        raise CraftedError(
            "numpy.ndarray", "an array gets its content twice, so that views of it point to freed memory"
        )
    if isinstance(state, tuple) and len(state) == 5:
        state = state[1:]
    if not isinstance(state, tuple) or len(state) != 4 or not isinstance(state[0], tuple):
        raise CutOffError("an array's state is invalid")
    shape, dtype, fortran, content = state
    _set(m, array, dtype, shape, fortran=bool(fortran), content=content)


def check_masked(m: Machine, made: Instance, state: Any) -> None:
    """Check a masked array's state: (version, shape, dtype, Fortran order, bytes or list, the mask's bytes, fill value)."""
    if made.state is not None:
        raise CraftedError(
            "numpy.ma.MaskedArray", "an array gets its content twice, so that views of it point to freed memory"
        )
    if not isinstance(state, tuple) or len(state) != 7:
        raise CutOffError("a masked array's state is invalid")
    _set(m, _unfilled(), state[2], state[1], fortran=bool(state[3]), content=state[4])


def _set(m: Machine, array: Array, dtype: Any, shape: Any, *, fortran: bool, content: Any) -> None:
    parsed = built_dtype(m, dtype)
    if type(shape) is not tuple or not all(type(extent) is int and extent >= 0 for extent in shape):
        raise CutOffError("an array's shape is invalid")
    _check_size(prod(shape), content, parsed)
    values = {
        "dtype": parsed.form,
        "shape": shape,
        "fortran": fortran,
        "fields": parsed.fields,
        "data": None,
        "objects": None,
    }
    if isinstance(content, list):
        if not parsed.pointer:
            for element in content:
                _check_element(element, parsed)
        values["objects"] = tuple(content)
    elif isinstance(content, str):
        values["data"] = content.encode("latin-1")  # Python 2's bytes
    elif isinstance(content, (bytes, bytearray)) and len(content) <= m.limits.kept_array:
        values["data"] = bytes(content)
    for name, value in values.items():
        object.__setattr__(array, name, value)  # frozen, but still being built here


def _check_size(count: int, content: Any, dtype: DType) -> None:
    """Raise CutOffError when the content of an array does not have `count` elements, as numpy does."""
    if dtype.has_object:
        right = isinstance(content, list) and len(content) == count
    elif isinstance(content, Blob):
        size = dtype.itemsize * count
        right = content.kind in ("bytes", "bytearray") and (
            content.size == size if content.exact else content.size >= size
        )
    else:
        right = isinstance(content, (bytes, bytearray, str)) and len(content) == dtype.itemsize * count
    if not right:
        raise CutOffError(f"the content of an array of {count} elements contradicts its dtype and shape")


def _check_element(element: Any, dtype: DType) -> None:
    """Raise CraftedError for an element of a structured array, or of an array of texts, that numpy would convert.

    To convert an object, numpy calls methods of its class.
    """
    if dtype.fields:
        kinds = [form == "|O" for _, form in dtype.fields]
        right = type(element) is tuple and len(element) == len(kinds)
        right = right and all(free or _is_plain(one) for one, free in zip(element, kinds, strict=True))
    else:
        right = _is_plain(element)
    if not right:
        raise CraftedError("numpy.ndarray", "an element of a structured array is in a form that numpy never writes")


def _is_of(value: Any, dtype: DType) -> bool:
    """Whether a value is an array of the dtype; numpy writes scalars of a structured dtype as arrays."""
    return isinstance(value, Array) and (value.dtype, value.fields) == (dtype.form, dtype.fields)


def _is_plain(value: Any, depth: int = 0) -> bool:
    if isinstance(value, (tuple, list)):
        return depth < _DEPTH and all(_is_plain(one, depth + 1) for one in value)
    if isinstance(value, Instance):
        return value.class_name in _DATES and value.state is None
    if isinstance(value, Array):
        return value.objects is None
    return value is None or isinstance(value, (bool, int, float, complex, str, bytes, Blob))


def _unfilled() -> Array:
    return Array(dtype=_UNFILLED[0], shape=_UNFILLED[1])


def _reconstruct(_m: Machine, _args: tuple[Any, ...]) -> Any:
    return _unfilled()


def _by_dill(m: Machine, args: tuple[Any, ...]) -> Any:
    """An array as dill writes it: numpy's function, its arguments and the array's state in one call."""
    made = args[0] if len(args) in (3, 4) else None
    if not isinstance(made, Global) or made.name != "_reconstruct" or not made.module.startswith("numpy."):
        return NotImplemented
    array = _unfilled()
    fill(m, array, args[2])
    return array


def _type_by_dill(m: Machine, args: tuple[Any, ...]) -> Any:
    """A plain type as dill writes it: a call with its name, whose result is then called."""
    if len(args) != 1 or args[0] not in _PLAIN_TYPES:
        return NotImplemented
    named = m.known.setdefault(("builtins", args[0]), Global("builtins", args[0]))
    m.record.names[named] = None
    return named


def _frombuffer(m: Machine, args: tuple[Any, ...]) -> Any:
    if len(args) != 4:
        return NotImplemented
    content, dtype, shape, order = args
    array = _unfilled()
    _set(m, array, dtype, shape, fortran=order == "F", content=content)
    return array


def _scalar(m: Machine, args: tuple[Any, ...]) -> Any:
    if not args:
        return NotImplemented
    dtype = built_dtype(m, args[0])
    if len(args) > 1 and dtype.has_object and not dtype.pointer and not _is_of(args[1], dtype):
        _check_element(args[1], dtype)
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
        return Blob(kind="bytes", size=args[0].size, head=args[0].head, exact=False)
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
