"""Parse numpy dtypes in a pickle: DType.

Forms that numpy itself does not write are refused, because a dtype decides which bytes numpy uses as object pointers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, NoReturn

from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.bytewindow import CraftedError
from mlpack.readers.pickles.values import Global, Instance

_FORM = re.compile(r"([<>|=]?)([?a-zA-Z])([0-9]*)(?:\[([0-9a-zA-Z]+)\])?", re.ASCII)
_OBJECT_SIZE = 8
_STRING_SIZE = 16
_STRINGS = ("numpy._core._internal._convert_to_stringdtype_kwargs",)  # numpy 2's StringDType
_DEPTH = 16
_LARGEST = (1 << 31) - 1  # bytes of an element
# numpy's one-letter codes (on 64-bit Linux, where models are served).
_LETTERS = {
    "?": "b1", "b": "i1", "B": "u1", "h": "i2", "H": "u2", "i": "i4", "I": "u4", "l": "i8", "L": "u8", "q": "i8", "Q": "u8",
    "e": "f2", "f": "f4", "d": "f8", "g": "f16", "F": "c8", "D": "c16", "G": "c32", "O": "O8",
}  # fmt: skip
_TYPES = {
    "float64": "f8", "float32": "f4", "float16": "f2", "int64": "i8", "int32": "i4", "int16": "i2", "int8": "i1",
    "uint64": "u8", "uint32": "u4", "uint16": "u2", "uint8": "u1", "bool_": "b1", "bool": "b1", "object_": "O8",
    "void": "V0", "record": "V0",
}  # fmt: skip
_UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "generic")
_WIDTHS = {"b": "1", "i": "1248", "u": "1248", "f": ("2", "4", "8", "16"), "c": ("8", "16", "32"), "O": "48"}
# numpy's flags in a dtype's state: elements hold references, are a list in a pickle, are pointers, start as zeros, need the
# interpreter. Other flags concern only how an element is read.
_HAS_OBJECT, _LIST_PICKLE, _IS_POINTER, _NEEDS_INIT, _NEEDS_PYTHON = 1, 2, 4, 8, 16
_OBJECT_FLAGS = 63
_OF_FIELDS = _HAS_OBJECT | _LIST_PICKLE | _NEEDS_INIT | _NEEDS_PYTHON


@dataclass(frozen=True, kw_only=True)
class DType:
    """A dtype: numpy's `str` form, bytes per element, whether elements are Python objects, a structured one's fields.

    `pointer`: an element is only a reference to an object.
    """

    form: str
    itemsize: int
    has_object: bool = False
    fields: tuple[tuple[str, str], ...] = ()
    pointer: bool = False


def dtype_of(value: Any, depth: int = 0) -> DType:
    """The dtype that a value of the stream describes.

    Raises CutOffError for an unsupported dtype, CraftedError for one that contradicts itself.
    """
    if depth > _DEPTH:
        raise CutOffError("a dtype is nested too deeply")
    if isinstance(value, (str, bytes)):
        return parse_dtype(value if isinstance(value, str) else value.decode("latin-1"))
    if isinstance(value, Global) and value.module == "numpy" and value.name in _TYPES:
        return parse_dtype(_TYPES[value.name])
    if isinstance(value, Instance) and is_dtype(value.callable):
        plain = _made(value, depth)
        return plain if value.state is None else _with_state(value, plain, depth)
    if isinstance(value, Instance) and is_string_dtype(value.callable):
        return DType(form="|O", itemsize=_STRING_SIZE, has_object=True)  # its texts are stored like objects
    raise CutOffError("an array has an unsupported dtype")


def is_dtype(callable_: Any) -> bool:
    """True for the name numpy.dtype."""
    return isinstance(callable_, Global) and callable_.module == "numpy" and callable_.name == "dtype"


def is_string_dtype(callable_: Any) -> bool:
    """True for the function that makes numpy 2's StringDType."""
    return isinstance(callable_, Global) and str(callable_) in _STRINGS


def parse_dtype(text: str) -> DType:
    """The dtype of a text such as `<f8`, `O8`, `U5`, `M8[ns]`; raises CutOffError for other dtypes."""
    match = _FORM.fullmatch(text)
    if not match or len(match[3]) > 9:
        raise CutOffError(f"an array has the unsupported dtype {text[:40]!r}")
    order, letter, digits, unit = match.groups()
    if not digits and letter in _LETTERS:
        letter, digits = _LETTERS[letter][0], _LETTERS[letter][1:]
    if letter == "a":  # numpy's older letter for bytes
        letter = "S"
    known = (
        letter in "SUV" or (letter in "mM" and digits in ("", "8")) or (digits and digits in _WIDTHS.get(letter, ()))
    )
    if not known or (unit and letter not in "mM"):
        raise CutOffError(f"an array has the unsupported dtype {text[:40]!r}")
    return _dtype(letter, int(digits or 0), ">" if order == ">" else "<", unit)


def _dtype(letter: str, width: int, order: str, unit: str | None = None) -> DType:
    if letter == "O":
        return DType(form="|O", itemsize=_OBJECT_SIZE, has_object=True, pointer=True)
    if letter in "mM":
        return DType(form=f"{order}{letter}8" + (f"[{unit}]" if unit else ""), itemsize=8)
    size = width * 4 if letter == "U" else width
    sign = "|" if letter in "SV" or (letter != "U" and width == 1) else order
    return DType(form=f"{sign}{letter}{width}", itemsize=size)


def _refuse(why: str) -> NoReturn:
    raise CraftedError("numpy.dtype", f"{why}, so that numpy would misread bytes")


def _made(value: Instance, depth: int) -> DType:
    # numpy.dtype(text or class, align, copy); without `copy` a state would change numpy's own shared dtype
    what, *how = value.args or (None,)
    if not isinstance(what, (str, bytes, Global)) or value.kwargs or not all(one in (0, 1) for one in how):
        _refuse("it is not created from a name")
    if value.state is not None and (len(how) != 2 or how[0] or not how[1]):
        _refuse("it gets a state without being a copy")
    return dtype_of(what, depth + 1)


def _with_state(value: Instance, plain: DType, depth: int) -> DType:
    # (version, byte order, (base, shape) or None, names, fields, element size, alignment, flags[, metadata])
    state = value.state
    if not isinstance(state, tuple) or (len(state), state[0]) not in ((8, 3), (9, 4)):
        _refuse("its state is not in numpy's form")
    _, order, base, names, fields, size, _, flags = state[:8]
    if order not in ("<", ">", "|", "=", b"<", b">", b"|", b"=") or type(size) is not int or type(flags) is not int:
        _refuse("its state is not numpy's")
    letter = plain.form[1]
    _check_metadata(value, letter)
    if letter not in "SUV":
        if size not in (-1, plain.itemsize):
            _refuse("its size is not that of its kind")
        size = plain.itemsize
    elif not 0 <= size <= _LARGEST or (size != plain.itemsize and not isinstance(value.args[0], Global)):
        _refuse("its size is not that of its kind")
    inner = _base(base, size, depth) if base is not None else None
    parts = _fields(names, fields, size, depth) if (names, fields) != (None, None) else ()
    if (inner or parts) and letter != "V":
        _refuse("it has parts, although its kind is plain")
    has_object = plain.has_object or bool(inner and inner.has_object) or any(part.has_object for _, part in parts)
    pointer = plain.pointer or bool(inner and inner.pointer)
    _check_flags(flags, has_object=has_object, pointer=pointer)
    return DType(
        form=_form(plain, size, ">" if order in (">", b">") else "<", state),
        itemsize=size,
        has_object=has_object,
        fields=tuple((name, part.form) for name, part in parts),
        pointer=pointer,
    )


def _check_metadata(value: Instance, letter: str) -> None:
    """Refuse metadata that are not in numpy's form: a dict; for dates with the unit, without which numpy crashes."""
    metadata = value.state[8] if len(value.state) > 8 else None
    if letter in "mM":
        what = value.args[0]
        if what not in ("M8", "m8", b"M8", b"m8") or type(metadata) is not tuple or len(metadata) != 2:
            _refuse("its state has no unit of time")
        metadata, unit = metadata
        if type(unit) is not tuple or len(unit) != 4 or not all(type(one) is int for one in unit[1:]):
            _refuse("its unit of time is not in numpy's form")
        name, count, divisor, events = unit
        name = name.decode("latin-1") if isinstance(name, bytes) else name
        if name not in _UNITS or not 0 < count <= _LARGEST or (divisor, events) != (1, 1):
            _refuse("its unit of time is not in numpy's form")
    if metadata is not None and type(metadata) is not dict:
        _refuse("its metadata are not a dict")


def _form(plain: DType, size: int, order: str, state: tuple[Any, ...]) -> str:
    letter = plain.form[1]
    if letter == "V":
        return f"|V{size}"
    return _dtype(letter, size // 4 if letter == "U" else size, order, _unit(state)).form


def _check_flags(flags: int, *, has_object: bool, pointer: bool) -> None:
    if not -128 <= flags <= 255:
        _refuse("its flags are not numpy's")
    if pointer:
        right = flags == _OBJECT_FLAGS
    elif has_object:
        right = flags & (_OF_FIELDS | _IS_POINTER) == _OF_FIELDS
    else:
        right = not flags & (_HAS_OBJECT | _LIST_PICKLE | _IS_POINTER)
    if not right:
        _refuse(f"its flags ({flags}) contradict its {'objects' if has_object else 'plain values'}")


def _base(base: Any, size: int, depth: int) -> DType:
    if not isinstance(base, tuple) or len(base) != 2:
        _refuse("its base is not numpy's")
    inner = _part(base[0], depth)
    shape = base[1] if isinstance(base[1], tuple) else (base[1],)
    if not all(type(extent) is int and extent >= 0 for extent in shape) or inner.itemsize * prod(shape) != size:
        _refuse("its size is not that of its base")
    return inner


def _part(value: Any, depth: int) -> DType:
    """The dtype of a part; numpy does not check its type and crashes on anything else."""
    if not isinstance(value, Instance):
        _refuse("a part of it is not a dtype")
    return dtype_of(value, depth + 1)


def _fields(names: Any, fields: Any, size: int, depth: int) -> tuple[tuple[str, DType], ...]:
    """A structured dtype's fields by name, in order: a dict with exactly these names, and their titles."""
    if type(names) is not tuple or type(fields) is not dict or not all(isinstance(one, (str, bytes)) for one in names):
        _refuse("its fields are not in numpy's form")
    titles = [one[2] for one in fields.values() if isinstance(one, tuple) and len(one) == 3 and one[2] is not None]
    if len(set(names)) != len(names) or not fields.keys() <= {*names, *filter(_is_text, titles)}:
        _refuse("its fields do not match its field names")
    found, places = [], []
    for name in names:
        field = fields.get(name)
        if type(field) is not tuple or len(field) not in (2, 3) or type(field[1]) is not int:
            _refuse("its fields are not in numpy's form")
        inner = _part(field[0], depth)
        if field[1] < 0 or field[1] + inner.itemsize > size:
            _refuse("a field is outside of it")
        places.append((field[1], field[1] + inner.itemsize))
        found.append((name if isinstance(name, str) else name.decode("latin-1"), inner))
    places.sort()
    overlap = any(end > start for (_, end), (start, _) in pairwise(places))
    if overlap and any(inner.has_object for _, inner in found):
        _refuse("its fields overlap")
    return tuple(found)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _unit(state: tuple[Any, ...]) -> str | None:
    metadata = state[8] if len(state) > 8 else None
    if not isinstance(metadata, tuple):
        return None
    unit = metadata[1][0]  # its form is checked
    return unit.decode("latin-1") if isinstance(unit, bytes) else str(unit)
