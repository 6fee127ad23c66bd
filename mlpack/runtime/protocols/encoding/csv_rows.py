"""CSV and JSON Lines: bodies of rows into instances, and predictions into lines."""

from __future__ import annotations

import csv
import io
import math
import re
from itertools import zip_longest
from typing import Any, List, Optional, Sequence

from ...errors import BadInputError, BadJsonError, TooManyRowsError
from .binary import as_json
from .casting import shown
from .rows import Rows
from .tables import from_split
from .text import dump, parse

csv.field_size_limit(2**31 - 1)  # by default 131,072 characters; the body has a bound already

_MISSING = frozenset(("", "nan", "NaN", "NA", "null"))
_INFINITE = {sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in ("inf", "Inf", "Infinity")}
_INTEGER = re.compile(r"\s*[+-]?\d{1,300}\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_ANY = "any value"
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def read_csv(body: bytes, rows: Rows) -> List[Any]:
    """The instances of a CSV body, with or without a first line of column names; an empty cell is a missing value.

    The first line is names where it holds exactly the model's, or where the model takes numbers only and it holds none.

    Raises:
        BadInputError: not CSV, or columns that do not fit.
        TooManyRowsError: more than the rows' bound.
    """
    table: List[List[str]] = []
    try:
        text = body.decode("utf-8-sig")
        for line in csv.reader(io.StringIO(text, newline=""), strict=True):
            if line:
                table.append(line)
            if len(table) > rows.max_rows + 1:
                raise _too_many(rows.max_rows)
    except (csv.Error, ValueError) as error:
        raise BadInputError(f"the body is not CSV in UTF-8: {error}") from error
    dtypes = _dtypes(rows, len(table[0]) if table else 0)
    names = table[0] if table and _is_header(table, rows, dtypes) else None
    if names is not None:
        table = table[1:]
        if rows.names and not rows.raw:
            order = dict(zip(rows.names, rows.dtypes(len(rows.names))))
            own = {given: name for name, given in rows.columns.matched(names).found.items()}
            dtypes = [order.get(own.get(name, name), "BYTES") for name in names]
    if not table:
        raise BadInputError("the body has no rows")
    data = [
        [_cell(cell, dtype) for cell, dtype in zip_longest(line, dtypes[: len(line)], fillvalue="BYTES")]
        for line in table
    ]
    return from_split(rows, {"columns": names, "data": data})


def read_lines(body: bytes, max_rows: int) -> List[Any]:
    """The instances of a body of JSON Lines: each a row, a record, or `{"features": ...}`.

    Raises:
        BadInputError: there is no line.
        BadJsonError: a line is not JSON.
        TooManyRowsError: more than `max_rows`.
    """
    lines = [line for line in body.split(b"\n") if line.strip()]
    if not lines:
        raise BadInputError("the body has no rows")
    if len(lines) > max_rows:
        raise _too_many(max_rows)
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            value = parse(line.strip(), tokens=True)
        except BadJsonError as error:
            raise BadJsonError(f"line {number}: {error.message}") from error
        found.append(value["features"] if type(value) is dict and set(value) == {"features"} else value)
    return found


def write_csv(predictions: Sequence[Any]) -> bytes:
    """A line for each prediction, its values between commas; names of outputs are left out."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    for prediction in predictions:
        value = list(prediction.values()) if isinstance(prediction, dict) else prediction
        cells = value if isinstance(value, list) else [value]
        writer.writerow([_written(cell) for cell in cells])
    return text.getvalue().encode("utf-8", "surrogatepass")


def write_lines(predictions: Sequence[Any]) -> bytes:
    """A line of JSON for each prediction."""
    return b"".join(dump(prediction) + b"\n" for prediction in predictions)


def _dtypes(rows: Rows, width: int) -> List[str]:
    """The dtype of each cell of a row, in the model's order; not known for the user's own code."""
    if rows.raw:
        return [_ANY] * width
    return rows.dtypes(width)


def _is_header(table: List[List[str]], rows: Rows, dtypes: List[str]) -> bool:
    line = table[0]
    if rows.names and not rows.raw and rows.columns.matched(line).fits:
        return True
    if rows.raw and len(table) == 1:
        return False
    numbers = bool(dtypes) and not {"BYTES", "BOOL"} & set(dtypes)
    words = [cell.strip() for cell in line]
    return numbers and not any(
        _NUMBER.fullmatch(word) or word in _MISSING or word in _INFINITE or word.lower() in _BOOLEANS for word in words
    )


def _cell(text: str, dtype: str) -> Any:
    """The cell as the JSON value that it stands for; what does not fit stays a text, which is refused with its place."""
    if dtype == "BYTES":
        return text or None
    word = text.strip()
    if word in _MISSING:
        return None
    if dtype == "BOOL":
        return _BOOLEANS.get(word.lower(), text)
    if _INTEGER.fullmatch(word):
        return int(word)
    if not _NUMBER.fullmatch(word):
        return _INFINITE.get(word, _BOOLEANS.get(word.lower(), text))
    number = float(word)
    return text if math.isinf(number) else number  # a number beyond the floats is none of them


def _written(cell: Any) -> Any:
    value: Optional[Any] = as_json(cell) if isinstance(cell, bytes) else cell
    return dump(value).decode("ascii") if isinstance(value, (list, dict)) else value


def _too_many(max_rows: int) -> TooManyRowsError:
    return TooManyRowsError(
        f"the body has more than {shown(max_rows)} rows; send them in several requests", detail={"max_rows": max_rows}
    )
