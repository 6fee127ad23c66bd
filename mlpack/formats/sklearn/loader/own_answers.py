"""Answers of the user's own classes: columns by name, or one entry a row; other forms are refused, never guessed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, Dict, Optional


class AnswerError(TypeError):
    """An answer of the user's own class that does not say which of its values belong to which row."""


def own_answer(answer: Any, method: str) -> Any:
    """Columns by name (a dictionary with at least two), or entries, one a row. Raises AnswerError for any other form.

    Of one column each entry is an object with its name, as of several. The number of rows is never used to tell forms apart:
    it would decide otherwise for another request.
    """
    columns = _columns(answer, method)
    if columns is not None:
        name, *others = columns
        return columns if others else [{name: value} for value in columns[name]]
    if isinstance(answer, Iterator):
        answer = list(answer)
    if isinstance(answer, tuple) and not all(getattr(one, "ndim", 0) >= 1 for one in answer):
        raise AnswerError(f"{method} returned a tuple, whose entries may be rows or outputs: return a list for rows")
    if isinstance(answer, list):
        return [dataclasses.asdict(one) if _is_record(one) else one for one in answer]
    if isinstance(answer, (str, bytes, set, frozenset)) or not hasattr(answer, "__len__"):
        raise AnswerError(f"{method} returned one {type(answer).__name__}, and no entry for each row")
    return answer


def _columns(answer: Any, method: str) -> Optional[Dict[str, Any]]:
    """The columns of a dictionary, DataFrame, named tuple or dataclass; None for other forms."""
    if hasattr(answer, "columns") and hasattr(answer, "to_numpy"):
        return {str(name): list(answer[name]) for name in answer.columns}
    if isinstance(answer, Mapping):
        if list(answer) == list(range(len(answer))):  # by row, or columns 0, 1, ...
            raise AnswerError(f"{method} returned a dictionary without names: return a list for rows")
        found = dict(answer)
    elif isinstance(answer, tuple) and hasattr(answer, "_fields"):
        found = dict(zip(answer._fields, answer))
    elif _is_record(answer):
        found = {one.name: getattr(answer, one.name) for one in dataclasses.fields(answer)}
    else:
        return None
    columns = {str(name): list(values) if isinstance(values, Iterator) else values for name, values in found.items()}
    for name, values in columns.items():
        if isinstance(values, (str, bytes, set, frozenset, Mapping)) or not hasattr(values, "__len__"):
            raise AnswerError(f"{method} returned one {type(values).__name__} for {name}, and no entry for each row")
    return columns


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)
