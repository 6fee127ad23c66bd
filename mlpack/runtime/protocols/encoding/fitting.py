"""Arrays by name, as binary contracts bring them, into a signature's inputs: judged and cast without a loop over values."""

from __future__ import annotations

from typing import Any, Dict, Sequence, Tuple

import numpy as np

from ...card import Signature, TensorSpec
from ...errors import BadInputError, TooManyRowsError
from ...models.predictor import Array, Arrays
from .casting import CastError, Rules, expectation, shown, shown_counts
from .dates import cast_dates
from .names import ColumnNames
from .objects import read_objects
from .rows import as_they_are, rules_of
from .tensors import one_element

NUMPY: Dict[str, Any] = {
    "BOOL": np.bool_, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64, "UINT8": np.uint8,
    "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64, "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
}  # fmt: skip
NAMES = {np.dtype(kind): name for name, kind in NUMPY.items()}


def dtype_name(array: Array) -> str:
    """The Open Inference name of an array's dtype; BYTES for all that is no number."""
    return NAMES.get(array.dtype.newbyteorder("="), "BYTES")


def fit(signature: Signature, tensors: Arrays, max_rows: int) -> Tuple[Arrays, int]:
    """The signature's inputs, and how many rows they have; BYTES are object arrays of str (bytes where they are no UTF-8).

    A matrix is one 2-D tensor of any name, or one tensor a column; columns are one tensor each, `[n]` or `[n, 1]`, or one
    2-D tensor of them all; of tensors a single one may have any name.

    Raises:
        BadInputError: a name, shape or dtype does not fit; says which, and what was expected.
        TooManyRowsError: more than `max_rows`.
    """
    for name, array in tensors.items():
        if array.ndim == 0:
            raise BadInputError(f"tensor {shown(name)} has no axis for rows; its shape is []")
    counts = {name: len(array) for name, array in tensors.items()}
    rows = next(iter(counts.values()), 0)
    if len(set(counts.values())) > 1:
        raise BadInputError(f"the tensors differ in their number of rows: {shown_counts(counts)}")
    if rows == 0:
        raise BadInputError("there are no rows")
    if rows > max_rows:
        raise TooManyRowsError(
            f"{rows} rows are more than {max_rows}; send them in several requests",
            detail={"rows": rows, "max_rows": max_rows},
        )
    if signature.objects:
        return {signature.inputs[0].name: as_they_are(read_objects(_single(signature, tensors)))}, rows
    if signature.raw and all(spec.name in signature.raw for spec in signature.inputs):
        return {signature.inputs[0].name: as_they_are(_single(signature, tensors).tolist())}, rows
    layout = {"matrix": _matrix, "columns": _columns}.get(signature.layout, _tensors)
    return layout(signature, tensors), rows


def _matrix(signature: Signature, tensors: Arrays) -> Arrays:
    spec = signature.inputs[0]
    width = spec.shape[-1]
    if len(tensors) > 1 or (signature.columns and ColumnNames(signature.columns).matched(tensors).fits):
        found = _check_names(signature.columns or (spec.name,), tensors)
        parts = [TensorSpec(name, spec.dtype, (-1,)) for name in signature.columns]
        columns = [_cast(_flat(tensors[found[part.name]]), part, signature) for part in parts]
        return {spec.name: np.column_stack(columns)}
    array = next(iter(tensors.values()))
    known = width if isinstance(width, int) and width >= 0 else len(signature.columns) or None
    if array.ndim != 2 or (known is not None and array.shape[1] != known) or array.shape[1] == 0:
        wanted = [-1, -1 if known is None else known]
        raise BadInputError(f"tensor {shown(spec.name)}: expected shape {wanted}, got {list(array.shape)}")
    return {spec.name: _cast(array, spec, signature)}


def _columns(signature: Signature, tensors: Arrays) -> Arrays:
    names = [spec.name for spec in signature.inputs]
    only = next(iter(tensors.values()))
    if len(tensors) == 1 and only.ndim == 2 and set(tensors) != set(names):
        for all_names in (names, signature.trained_columns):
            if only.shape[1] == len(all_names):
                tensors = {name: only[:, place] for place, name in enumerate(all_names)}
                break
    found = _check_names(names, tensors, signature.trained_columns)
    return {spec.name: _cast(_flat(tensors[found[spec.name]]), spec, signature) for spec in signature.inputs}


def _tensors(signature: Signature, tensors: Arrays) -> Arrays:
    if len(signature.inputs) == 1:
        tensors = {signature.inputs[0].name: _single(signature, tensors)}
    _check_names([spec.name for spec in signature.inputs], tensors)
    return {spec.name: _cast(_shaped(tensors[spec.name], spec), spec, signature) for spec in signature.inputs}


def _single(signature: Signature, tensors: Arrays) -> Array:
    if len(tensors) != 1:
        _check_names([signature.inputs[0].name], tensors)
    return next(iter(tensors.values()))


def _flat(array: Array) -> Array:
    """A column of `[n]` or `[n, 1]` as `[n]`; the cast refuses any other shape."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _shaped(array: Array, spec: TensorSpec) -> Array:
    if len(spec.shape) == 1:
        return _flat(array)
    if array.ndim == 1 and one_element(spec):
        return array.reshape((len(array), *[1] * (len(spec.shape) - 1)))
    wanted = spec.shape
    fits = array.ndim == len(wanted) and all(
        not isinstance(size, int) or size in (-1, given) for size, given in zip(wanted[1:], array.shape[1:])
    )
    if not fits:
        shape = [-1, *wanted[1:]]
        raise BadInputError(f"tensor {shown(spec.name)}: expected shape {shown_shape(shape)}, got {list(array.shape)}")
    return array


def shown_shape(shape: Any) -> str:
    """A shape for a message: -1 and symbols as they are."""
    return "[" + ", ".join(map(str, shape)) + "]"


def _check_names(wanted: Sequence[str], tensors: Arrays, trained: Sequence[str] = ()) -> Dict[str, str]:
    """The request's name of each wanted tensor."""
    match = ColumnNames(wanted, trained).matched(tensors)
    if not match.fits:
        detail = {"missing": match.missing, "unknown": match.unknown}
        raise BadInputError(f"the tensors do not fit: {match.said()}", detail=detail)
    return match.found


def _cast(array: Array, spec: TensorSpec, signature: Signature) -> Array:
    if len(spec.shape) == 1 and array.ndim != 1:
        raise BadInputError(f"tensor {shown(spec.name)}: expected shape [-1] or [-1, 1], got {list(array.shape)}")
    rules = rules_of(signature, spec)
    if spec.name in signature.dates:
        if array.dtype != object:
            raise _misfit(array, spec)
        return _dates(array, spec, signature.dates[spec.name])
    if spec.dtype == "BYTES":
        return _texts(array, spec, rules)
    kind = np.dtype(NUMPY[spec.dtype])
    mixed = (array.dtype.kind == "b") != (kind.kind == "b")
    if array.dtype == object or (mixed and not (rules.booleans and np.isin(array, (0, 1)).all())):
        raise _misfit(array, spec)
    if array.dtype == kind and array.dtype.isnative:
        return array
    if kind.kind in "iu":
        return _whole(array, kind, spec)
    with np.errstate(over="ignore"):
        found = array.astype(kind)
    if array.dtype.kind == "f" and found.itemsize < array.itemsize and (np.isinf(found) & ~np.isinf(array)).any():
        raise BadInputError(f"tensor {shown(spec.name)}: a value is beyond the range of {spec.dtype}")
    return found


def _texts(array: Array, spec: TensorSpec, rules: Rules) -> Array:
    if rules.whole_as_text and array.dtype.kind in "iub":
        return np.array([str(int(value)) for value in array.tolist()], dtype=object)
    if array.dtype != object:
        raise _misfit(array, spec)
    if not rules.null and any(value is None for value in array.flat):
        raise BadInputError(f"tensor {shown(spec.name)}: expected {expectation('BYTES', rules)}, got null")
    return array


def _dates(array: Array, spec: TensorSpec, zone: str) -> Array:
    try:
        return cast_dates(array.tolist(), zone)
    except CastError as error:
        misfit = error.misfits[0]
        raise BadInputError(
            f"tensor {shown(spec.name)} at [{misfit.place}]: expected {misfit.expected}, got {misfit.got}"
        ) from error


def _whole(array: Array, kind: Any, spec: TensorSpec) -> Array:
    bounds = np.iinfo(kind)
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.floor(array)).all()):
        raise BadInputError(f"tensor {shown(spec.name)}: expected whole numbers ({spec.dtype}), got others")
    if array.size and not (bounds.min <= int(array.min()) and int(array.max()) <= bounds.max):
        raise BadInputError(f"tensor {shown(spec.name)}: a value is beyond the range of {spec.dtype}")
    return array.astype(kind)


def _misfit(array: Array, spec: TensorSpec) -> BadInputError:
    return BadInputError(f"tensor {shown(spec.name)}: expected {spec.dtype}, got {dtype_name(array)}")
