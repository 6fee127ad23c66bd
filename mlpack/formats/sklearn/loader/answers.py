"""A model's answers as arrays: sparse matrices, tables, lists, dates, several outputs."""

from __future__ import annotations

import contextlib
from typing import Any, List, Sequence

import numpy as np


def array_of(answer: Any) -> Any:
    """The answer as an array; dates as their ISO 8601 texts."""
    dense = answer.toarray() if hasattr(answer, "toarray") else answer  # scipy's sparse ones
    array = np.asarray(dense.to_numpy() if hasattr(dense, "to_numpy") else dense)  # a DataFrame or a Series
    return _date_texts(array) if array.dtype.kind == "M" else array


def _date_texts(dates: Any) -> Any:
    """As Python's isoformat writes them (`2024-01-31T12:00:00`; `2024-01-31` of days), None for a missing one."""
    units = ("D",) if dates.dtype == "M8[D]" else ("s", "us", "ns")
    texts = np.empty(dates.shape, dtype=object)
    for place, one in enumerate(dates.ravel()):
        exact = (found for found in (one.astype(f"M8[{unit}]") for unit in units) if found == one)
        texts.flat[place] = None if np.isnat(one) else str(next(exact, one))
    return texts


def listed(answer: Sequence[Any], method: str) -> Any:
    """A list has one entry a row; arrays of several outputs (a tuple, or a list of tables of probabilities) are joined."""
    least = 1 if isinstance(answer, tuple) else 2 if method == "predict_proba" else 99
    several = len(answer) > 0 and all(getattr(one, "ndim", 0) >= least for one in answer)
    return _joined(answer) if several else rows_of(answer)


def rows_of(values: Sequence[Any]) -> Any:
    """The entries as an array where all of them are numbers, or lists of as many numbers; else each as it is."""
    with contextlib.suppress(ValueError):  # lists of different lengths
        kinds = {type(value) for value in np.asarray(values, dtype=object).ravel()}
        if all(issubclass(one, (int, float, np.number)) for one in kinds - {bool}) and not {bool} < kinds:
            return np.asarray(values)
    rows = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        rows[place] = value.tolist() if hasattr(value, "tolist") else value
    return rows


def _joined(answers: Sequence[Any]) -> Any:
    """One array of several outputs: (rows, outputs, ...), or lists in an object array when their widths differ."""
    arrays: List[Any] = [array_of(one) for one in answers]
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays, axis=1)
    table = np.empty((len(arrays[0]), len(arrays)), dtype=object)
    for place, array in enumerate(arrays):
        for row, value in enumerate(array.tolist()):
            table[row, place] = value
    return table
