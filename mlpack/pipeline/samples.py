"""A user's sample rows, read as instances: named records or plain rows."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

from mlpack.errors import ConfigError

_MOST = 20


def read_sample(path: Path) -> list[Any]:
    """The first 20 rows of a .csv (with a header) or .json (a list, or `{"instances": [...]}`); raises ConfigError.

    A CSV cell becomes a number where it reads as one, null where it is empty, and text else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot read sample {path}: {error}", hint="`sample:` names a .csv or .json file."
        ) from error
    rows = _from_json(path, text) if path.suffix.lower() == ".json" else _from_csv(text)
    if not rows:
        raise ConfigError(f"sample {path} holds no rows", hint="A header and a few rows, as the model was trained on.")
    return rows[:_MOST]


def _from_json(path: Path, text: str) -> list[Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"sample {path} is not JSON: {error}", hint="A list of records or rows.") from error
    rows = data.get("instances") if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ConfigError(f"sample {path} holds no list", hint='A list of records, or {"instances": [...]}.')
    return rows


def _from_csv(text: str) -> list[Any]:
    reader = csv.DictReader(text.splitlines())
    rows: list[Any] = []
    for row in reader:
        rows.append({name: _cell(value) for name, value in row.items() if name is not None})
        if len(rows) == _MOST:
            break
    return rows


def _cell(text: str | None) -> Any:
    if text is None or not text.strip():
        return None
    if re.fullmatch(r"\s*[+-]?\d+\s*", text):
        return int(text)
    if re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", text):
        return float(text)
    return {"true": True, "false": False}.get(text.strip().lower(), text)
