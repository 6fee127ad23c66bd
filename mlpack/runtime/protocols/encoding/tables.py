"""Tables in JSON into instances: lists of values by column, and split tables of column names and rows."""

from __future__ import annotations

from typing import Any, Dict, List

from ...errors import BadInputError
from .casting import shown, shown_counts
from .names import Matched
from .rows import Rows


def from_columns(rows: Rows, columns: Any) -> List[Any]:
    """Instances of `{"name": [value of each row]}`; of a matrix also of `{"input": [[...], ...]}`, its tensor's name.

    Raises:
        BadInputError: not such an object, unknown or missing names, or lists of different lengths.
    """
    if type(columns) is not dict or not columns:
        raise BadInputError(f"the columns must be an object with a list of values for each, not {shown(columns)}")
    stray = next((name for name, values in columns.items() if type(values) is not list), None)
    if stray is not None:
        raise BadInputError(f"column {shown(stray)} must be a list of values, not {shown(columns[stray])}")
    tensor = rows.inputs[0].name
    if rows.matrix and set(columns) == {tensor} and rows.names != (tensor,):
        return columns[tensor]  # type: ignore[no-any-return]  # its values were judged a list above
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadInputError(f"the columns differ in length: {shown_counts(lengths)}")
    if rows.raw:
        return [dict(zip(columns, values)) for values in zip(*columns.values())]
    if not rows.names:
        raise BadInputError(f"this model's columns have no names; send rows, or the tensor {shown(tensor)}")
    names = list(_check_names(rows, list(columns)).found.values())
    if rows.width == 1:
        return columns[names[0]]  # type: ignore[no-any-return]  # as above
    return list(map(list, zip(*(columns[name] for name in names))))


def from_split(rows: Rows, table: Any) -> List[Any]:
    """Instances of `{"columns": [...], "index": [...], "data": [[...], ...]}`, as pandas writes a frame; `index` says nothing.

    Columns that are no texts, or none at all, are taken in the model's order.

    Raises:
        BadInputError: not such an object, or unknown or missing columns.
    """
    if type(table) is not dict or type(table.get("data")) is not list:
        raise BadInputError(f'the table must be an object with "columns" and "data", not {shown(table)}')
    unknown = next((name for name in table if name not in ("columns", "index", "data")), None)
    if unknown is not None:
        raise BadInputError(f"the table has the unknown key {shown(unknown)}")
    columns, data = table.get("columns"), table["data"]
    if columns is not None and type(columns) is not list:
        raise BadInputError(f"the table's columns must be a list, not {shown(columns)}")
    if rows.raw:
        return [dict(zip(columns, row)) if columns and type(row) is list else row for row in data]
    kinds = {type(name) for name in columns or ()}
    if rows.names and str in kinds and len(kinds) > 1:
        raise BadInputError("some of the table's columns are texts and others are not, so their order is not known")
    if not columns or not rows.names or kinds != {str}:
        return _unwrapped(rows, data)
    match = _check_names(rows, columns)
    if tuple(columns) == rows.names:
        return _unwrapped(rows, data)
    order = [columns.index(name) for name in match.found.values()]
    for number, row in enumerate(data):
        if type(row) is not list or len(row) != len(columns):
            raise BadInputError(f"row {number}: expected a list of {len(columns)} values, got {shown(row)}")
    return [[row[place] for place in order] for row in data]


def _unwrapped(rows: Rows, data: List[Any]) -> List[Any]:
    """The rows; where a row is one nested value, without the list around it that a table has."""
    if rows.width == 1 and not rows.flat and all(type(row) is list and len(row) == 1 for row in data):
        return [row[0] for row in data]
    return data


def _check_names(rows: Rows, given: List[str]) -> Matched:
    match = rows.columns.matched(given)
    said = [match.said()] if not match.fits else []
    if len(set(given)) < len(given):
        said.append("a column twice")
    if said:
        detail: Dict[str, Any] = {"missing": match.missing[:50], "unknown": match.unknown[:50]}
        raise BadInputError(f"the columns do not fit: {'; '.join(said)}", detail=detail)
    return match
