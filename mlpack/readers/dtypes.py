"""numpy dtypes as the stream writes them: DType."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from mlpack.readers.limits import CutOffError
from mlpack.readers.values import Global, Instance

_FORM = re.compile(r"([<>|=]?)([?a-zA-Z])(\d*)(?:\[(\w+)\])?")
_HAS_OBJECT = 1  # numpy's NPY_ITEM_HASOBJECT, in a dtype's flags
_OBJECT_SIZE = 8
_STRING_SIZE = 16
_STRINGS = ("numpy._core._internal._convert_to_stringdtype_kwargs",)  # numpy 2's StringDType
_DEPTH = 16
# numpy's one-letter codes (on 64-bit Linux, where the models will run).
_LETTERS = {
    "?": "b1", "b": "i1", "B": "u1", "h": "i2", "H": "u2", "i": "i4", "I": "u4", "l": "i8", "L": "u8", "q": "i8", "Q": "u8",
    "e": "f2", "f": "f4", "d": "f8", "g": "f16", "F": "c8", "D": "c16", "O": "O8",
}  # fmt: skip
_TYPES = {
    "float64": "f8", "float32": "f4", "float16": "f2", "int64": "i8", "int32": "i4", "int16": "i2", "int8": "i1",
    "uint64": "u8", "uint32": "u4", "uint16": "u2", "uint8": "u1", "bool_": "b1", "bool": "b1", "object_": "O8",
    "void": "V0", "record": "V0",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DType:
    """A dtype: numpy's `str` form, bytes per element, whether elements are Python objects, a structured one's fields."""

    form: str
    itemsize: int
    has_object: bool = False
    fields: tuple[tuple[str, str], ...] = ()


def dtype_of(value: Any, depth: int = 0) -> DType:
    """The dtype that a value of the stream stands for; raises CutOffError when it is none that is understood."""
    if depth > _DEPTH:
        raise CutOffError("a dtype is nested too deeply")
    if isinstance(value, (str, bytes)):
        return parse_dtype(value if isinstance(value, str) else value.decode("latin-1"))
    if isinstance(value, Global) and value.module == "numpy" and value.name in _TYPES:
        return parse_dtype(_TYPES[value.name])
    if isinstance(value, Instance) and is_dtype(value.callable) and value.args:
        plain = dtype_of(value.args[0], depth + 1)
        return plain if value.state is None else _with_state(plain, value.state, depth)
    if isinstance(value, Instance) and str(value.callable) in _STRINGS:
        return DType(form="|O", itemsize=_STRING_SIZE, has_object=True)  # its texts lie in the stream like objects
    raise CutOffError("an array has a dtype that is not understood")


def is_dtype(callable_: Any) -> bool:
    """True for the name numpy.dtype."""
    return isinstance(callable_, Global) and callable_.module == "numpy" and callable_.name == "dtype"


def parse_dtype(text: str) -> DType:
    """The dtype of a text such as `<f8`, `O8`, `U5`, `M8[ns]`; raises CutOffError when it is no plain one."""
    match = _FORM.fullmatch(text)
    if not match or len(match[3]) > 9:
        raise CutOffError(f"an array has the dtype {text[:40]!r}, which is not understood")
    order, letter, digits, unit = match.groups()
    if not digits and letter not in "OSUVmM":
        if letter not in _LETTERS:
            raise CutOffError(f"an array has the dtype {text[:40]!r}, which is not understood")
        letter, digits = _LETTERS[letter][0], _LETTERS[letter][1:]
    if letter == "a":  # numpy's older letter for bytes
        letter = "S"
    return _dtype(letter, int(digits or 0), ">" if order == ">" else "<", unit)


def _dtype(letter: str, width: int, order: str, unit: str | None = None) -> DType:
    if letter == "O":
        return DType(form="|O", itemsize=_OBJECT_SIZE, has_object=True)
    if letter in "mM":
        return DType(form=f"{order}{letter}8" + (f"[{unit}]" if unit else ""), itemsize=8)
    size = width * 4 if letter == "U" else width
    sign = "|" if letter in "SV" or (letter != "U" and width == 1) else order
    return DType(form=f"{sign}{letter}{width}", itemsize=size)


def _with_state(plain: DType, state: Any, depth: int) -> DType:
    # (version, byte order, (base, shape) or None, names, fields, element size, alignment[, flags[, metadata]])
    if not isinstance(state, tuple) or len(state) < 7:
        raise CutOffError("a dtype's state is not understood")
    order = ">" if state[1] in (">", b">") else "<"
    letter = plain.form[1]
    size = state[5] if isinstance(state[5], int) and state[5] >= 0 and letter in "SUV" else plain.itemsize
    base, fields = state[2], _fields(state[3], state[4], depth)
    inner_object = any(field.has_object for _, field in fields)
    if isinstance(base, tuple) and base:
        inner_object = inner_object or dtype_of(base[0], depth + 1).has_object
    has_object = plain.has_object or inner_object
    if len(state) > 7 and isinstance(state[7], int) and bool(state[7] & _HAS_OBJECT) != has_object:
        raise CutOffError("a dtype contradicts itself on whether its elements are objects")
    if letter == "V":
        return DType(
            form=f"|V{size}", itemsize=size, has_object=has_object, fields=tuple((n, f.form) for n, f in fields)
        )
    if letter == "U":
        return _dtype("U", size // 4, order)
    if letter in "OS":
        return _dtype(letter, size, order)
    return _dtype(letter, plain.itemsize, order, _unit(state))


def _fields(names: Any, fields: Any, depth: int) -> list[tuple[str, DType]]:
    if not isinstance(names, tuple) or not isinstance(fields, dict):
        return []
    return [(str(name), dtype_of(fields[name][0], depth + 1)) for name in names[:1000] if name in fields]


def _unit(state: tuple[Any, ...]) -> str | None:
    meta = state[8] if len(state) > 8 else None
    if isinstance(meta, tuple) and len(meta) == 2 and isinstance(meta[1], tuple) and meta[1]:
        unit = meta[1][0]
        return unit.decode("latin-1") if isinstance(unit, bytes) else str(unit)
    return None
