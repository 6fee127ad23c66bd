"""Read a user's sample rows as instances: named records or plain rows."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from mlpack.errors import ConfigError
from mlpack.readers.dates import date_text, with_dates

_MOST = 20


def read_sample(path: Path, texts: Collection[str] = ()) -> list[Any]:
    """The first 20 rows of a .csv (with a header), .json (a list, or `{"instances": [...]}`) or .parquet file.

    A CSV cell becomes a number if possible, null when empty, else text; in the columns `texts` always text. Timestamps of
    parquet, and columns of .csv and .json whose values are all ISO 8601 dates, are DateText. Raises ConfigError.
    """
    if path.suffix.lower() in {".parquet", ".pq"}:
        rows = _from_parquet(path)
    else:
        text = _text_of(path)
        rows = with_dates(_from_json(path, text) if path.suffix.lower() == ".json" else _from_csv(text, texts))
    if not rows:
        raise ConfigError(
            f"sample {path} contains no rows", hint="Write a header and a few rows like the training data."
        )
    return rows[:_MOST]


def names_of_rows(rows: Sequence[Any]) -> tuple[str, ...]:
    """The columns of the rows in their order; () unless all rows are records with the same columns."""
    if not rows or not all(isinstance(row, dict) for row in rows) or len({frozenset(row) for row in rows}) > 1:
        return ()
    return tuple(map(str, rows[0]))


def values_of(rows: Sequence[Any], columns: Sequence[str], place: int) -> list[Any]:
    """The rows' values of a column; a space and an underscore in its name are the same, as LightGBM has it."""
    found = []
    label = columns[place].replace(" ", "_")
    for row in rows:
        if isinstance(row, dict):
            found.append(next((value for name, value in row.items() if str(name).replace(" ", "_") == label), None))
        elif isinstance(row, list) and len(row) == len(columns):
            found.append(row[place])
    return found


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        hint = "Set `sample:` to a .csv, .json or .parquet file."
        raise ConfigError(f"cannot read sample {path}: {error}", hint=hint) from error


def _from_parquet(path: Path) -> list[Any]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        hint = "Run `pip install pyarrow` in mlpack's environment, or give the rows as .csv or .json."
        raise ConfigError(f"sample {path}: reading parquet needs pyarrow", hint=hint) from error
    try:
        with ParquetFile(path) as file:
            batch = next(file.iter_batches(batch_size=_MOST), None)
    except (OSError, ArrowException) as error:
        raise ConfigError(f"cannot read sample {path}: {error}", hint="Check that it is a parquet file.") from error
    rows = [] if batch is None else batch.to_pylist()
    # Values without a JSON form (decimals) become the text that a client would send.
    return [{name: _plain(value) for name, value in row.items() if name != "__index_level_0__"} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN is the only value unlike itself
        return None
    if isinstance(value, datetime):
        return date_text(value)
    return value if value is None or isinstance(value, (bool, int, float, str, list)) else str(value)


def _from_json(path: Path, text: str) -> list[Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"sample {path} is not JSON: {error}", hint="Write a list of records or rows.") from error
    rows = data.get("instances") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ConfigError(f"sample {path} contains no list", hint='Write a list of records, or {"instances": [...]}.')
    return rows


def _from_csv(text: str, texts: Collection[str]) -> list[Any]:
    reader = csv.DictReader(text.splitlines())
    rows: list[Any] = []
    for row in reader:
        rows.append(
            {name: _text(value) if name in texts else _cell(value) for name, value in row.items() if name is not None}
        )
        if len(rows) == _MOST:
            break
    return rows


def _text(text: str | None) -> str | None:
    return text or None


def _cell(text: str | None) -> Any:
    if text is None or not text.strip():
        return None
    if re.fullmatch(r"\s*[+-]?\d+\s*", text):
        return int(text)
    if re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", text):
        return float(text)
    return {"true": True, "false": False}.get(text.strip().lower(), text)
