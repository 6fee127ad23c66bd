"""JSON values into arrays, strictly: a value that is not of the tensor's dtype is an error, never converted."""

from __future__ import annotations

import base64
import json
import math
from itertools import islice
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

import numpy as np

from ...models.predictor import Array

_INTEGERS: Dict[str, Any] = {
    "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64,
}  # fmt: skip
_FLOATS: Dict[str, Any] = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64}
_FEW = 64  # values
_NUMBERS = {float, int}
NUMBERS_OR_NULL = {float, int, type(None)}
_TEXT_OR_NULL = {str, bytes, type(None)}  # bytes: no JSON value, but what {"b64": ...} stands for


class Misfit(NamedTuple):
    """A value that does not fit: its place in the flat sequence, what was expected, what it is."""

    place: int
    expected: str
    got: str


class CastError(ValueError):
    """Values that do not fit their dtype: the first few of them."""

    def __init__(self, misfits: List[Misfit]) -> None:
        super().__init__(misfits[0].expected)
        self.misfits = misfits


class Rules(NamedTuple):
    """What a column takes beside the values of its dtype.

    `booleans`: a column of a table, where true and false are 1 and 0, as pandas has them, in numbers and in BOOL. `null`: BYTES
    may be missing. `whole_as_text`: in BYTES a whole number stands for its text. `flags`: the column's numbers are categories
    that were booleans. `infinite`: the request has a word for infinity.
    """

    booleans: bool = False
    null: bool = True
    whole_as_text: bool = False
    flags: bool = False
    infinite: bool = False


STRICT = Rules()


def cast(values: Sequence[Any], dtype: str, rules: Rules = STRICT) -> Array:
    """The values as a 1-D array of an Open Inference dtype; BYTES as an object array of str.

    null is a missing value in a float (NaN) and in BYTES (None). Whole floats are integers; texts are no numbers, and
    booleans only in tables.

    Raises:
        CastError: a value is of another type, or out of the dtype's range.
    """
    types: Set[type] = set(map(type, values))
    if rules.booleans or rules.whole_as_text:
        values, types = _as_in_pandas(values, types, dtype, rules)
    array: Optional[Array] = _CASTS[dtype](values, types)
    if array is None and rules.infinite and dtype in _FLOATS:
        array = _floats(values, types, dtype, infinite=True)
    if array is None or (dtype == "BYTES" and not rules.null and type(None) in types):
        raise CastError(list(islice(_misfits(values, dtype, rules), 5)))
    return array


def _as_in_pandas(values: Sequence[Any], types: Set[type], dtype: str, rules: Rules) -> Tuple[Sequence[Any], Set[type]]:
    """The values with booleans and numbers in each other's place changed to what the dtype has; and their types."""
    if dtype == "BYTES":
        if rules.whole_as_text and types & {int, bool}:
            values = [str(int(value)) if isinstance(value, int) else value for value in values]
    elif dtype == "BOOL":
        if types & _NUMBERS:
            values = [bool(value) if type(value) in _NUMBERS and value in (0, 1) else value for value in values]
    elif bool in types:
        values = [int(value) if type(value) is bool else value for value in values]
    else:
        return values, types
    return values, set(map(type, values))


def _floats(values: Sequence[Any], types: Set[type], dtype: str, *, infinite: bool = False) -> Any:
    if not types <= NUMBERS_OR_NULL:
        return None
    try:
        array = np.array(values, dtype=np.float64)  # None becomes NaN
    except OverflowError:  # an integer beyond the floats
        return None
    if dtype != "FP64":
        with np.errstate(over="ignore"):
            array = array.astype(_FLOATS[dtype])
        few: Any = array.tolist() if array.size <= _FEW else ()
    else:
        few = values
    return None if not infinite and _has_infinity(array, few) else array


def _has_infinity(array: Array, few: Sequence[Any]) -> bool:
    if array.size <= _FEW:  # numpy's own way costs more than the few values
        return math.inf in few or -math.inf in few
    return bool(np.isinf(array).any())


def _integers(values: Sequence[Any], types: Set[type], dtype: str) -> Any:
    if not types <= _NUMBERS:
        return None
    if float in types:
        if not all(type(value) is int or value.is_integer() for value in values):
            return None
        values = [int(value) for value in values]
    bounds = np.iinfo(_INTEGERS[dtype])
    if values and not (int(bounds.min) <= min(values) and max(values) <= int(bounds.max)):
        return None
    return np.array(values, dtype=_INTEGERS[dtype])


def _booleans(values: Sequence[Any], types: Set[type], _dtype: str) -> Any:
    return np.array(values, dtype=np.bool_) if types <= {bool} else None


def _texts(values: Sequence[Any], types: Set[type], _dtype: str) -> Any:
    if dict in types:
        values = [from_marked(value) if type(value) is dict else value for value in values]
        types = set(map(type, values))
    if not types <= _TEXT_OR_NULL:
        return None
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def from_marked(value: Dict[str, Any]) -> Union[str, bytes, Dict[str, Any]]:
    """What `{"b64": ...}` stands for: a text where it is UTF-8, else bytes; any other object as it is."""
    text = value.get("b64")
    if len(value) != 1 or type(text) is not str:
        return value
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        return value
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def _bound(
    how: Callable[[Sequence[Any], Set[type], str], Any], dtype: str
) -> Callable[[Sequence[Any], Set[type]], Any]:
    return lambda values, types: how(values, types, dtype)


_CASTS: Dict[str, Callable[[Sequence[Any], Set[type]], Any]] = {
    **{dtype: _bound(_floats, dtype) for dtype in _FLOATS},
    **{dtype: _bound(_integers, dtype) for dtype in _INTEGERS},
    "BOOL": _bound(_booleans, "BOOL"),
    "BYTES": _bound(_texts, "BYTES"),
}


def expectation(dtype: str, rules: Rules = STRICT) -> str:
    """What a value of the dtype looks like in JSON, in words."""
    if dtype in _FLOATS:
        return f"true, false or null ({dtype})" if rules.flags else f"a number or null ({dtype})"
    if dtype in _INTEGERS:
        bounds = np.iinfo(_INTEGERS[dtype])
        return f"a whole number from {bounds.min} to {bounds.max} ({dtype})"
    if dtype == "BOOL":
        return "true or false (BOOL)"
    forms = ["a string", *([] if rules.booleans else ['{"b64": "..."} for bytes'])]
    forms += [*(["a whole number"] if rules.whole_as_text else []), *(["null"] if rules.null else [])]
    if len(forms) == 1:
        return "a string (BYTES)"
    return f"{', '.join(forms[:-1])}{',' if len(forms) > 2 else ''} or {forms[-1]} (BYTES)"


def shown(value: Any) -> str:
    """The value as JSON for a message, cut short."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number beyond the range of FP64"
    if isinstance(value, int) and value.bit_length() > 200:
        return "an integer of more than 60 digits"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def shown_counts(counts: Dict[str, int]) -> str:
    """Some of the names, each with its number."""
    shown_ones = [f"{shown(name)} {count}" for name, count in islice(counts.items(), 10)]
    return ", ".join([*shown_ones, *(["..."] if len(counts) > len(shown_ones) else [])])


def _misfits(values: Sequence[Any], dtype: str, rules: Rules) -> Iterator[Misfit]:
    fits = _CASTS[dtype]
    found = False
    for index, value in enumerate(values):
        missing = value is None and dtype == "BYTES" and not rules.null
        if missing or fits([value], {type(value)}) is None:
            found = True
            yield Misfit(index, expectation(dtype, rules), shown(value))
    if not found:  # cannot be: every cast judges value by value
        yield Misfit(0, expectation(dtype, rules), "values that do not fit together")


def unravel(index: int, shape: Tuple[int, ...]) -> List[int]:
    """The place in a tensor of `shape` that a flat index stands for."""
    return [int(axis) for axis in np.unravel_index(index, shape)]
