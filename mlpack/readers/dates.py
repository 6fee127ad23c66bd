"""Dates in sample rows: texts in ISO 8601, with the time zone of their column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

UTC = "UTC"
UNKNOWN_ZONE = "?"
"""The zone of times with offsets such as +02:00: no text tells what the offset is at other times of the year."""
_NAIVE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?", re.ASCII)
_AWARE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})", re.ASCII)
_IN_UTC = re.compile(r".*(Z|[+-]00:?00)", re.ASCII)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", re.ASCII)


class DateText(str):
    """An ISO 8601 text in a column of dates; `zone` is the column's time zone by name or offset, "" if its dates have none."""

    __slots__ = ("zone",)
    zone: str

    @classmethod
    def of(cls, text: str, zone: str) -> DateText:
        """The text, with its zone."""
        made = cls(text)
        made.zone = zone
        return made


def date_text(value: datetime) -> DateText:
    """A time as its text; the zone is that of the time: its name, or an offset such as `+05:30` that it always has."""
    if value.tzinfo is None:
        return DateText.of(value.isoformat(), "")
    name = str(value.tzinfo)
    return DateText.of(value.isoformat(), name if _ZONE.fullmatch(name) else value.isoformat()[-6:])


def zone_of(values: Sequence[Any]) -> str | None:
    """The time zone of a column of dates; None if it holds anything else, or nothing, or dates of several zones."""
    zones = {value.zone if isinstance(value, DateText) else None for value in values if value is not None}
    return zones.pop() if len(zones) == 1 else None


def with_dates(rows: list[Any]) -> list[Any]:
    """The rows, with each column whose values are all ISO 8601 dates as DateText."""
    if rows and all(isinstance(row, dict) for row in rows):
        zones = {name: _zone([row.get(name) for row in rows]) for name in rows[0]}
        return [
            {name: value if zones.get(name) is None else _marked(value, zones[name]) for name, value in row.items()}
            for row in rows
        ]
    if rows and all(isinstance(row, list) for row in rows) and len({len(row) for row in rows}) == 1:
        columns = [_zone([row[place] for row in rows]) for place in range(len(rows[0]))]
        return [
            [value if zone is None else _marked(value, zone) for value, zone in zip(row, columns, strict=True)]
            for row in rows
        ]
    return rows


def _marked(value: Any, zone: str | None) -> Any:
    return value if value is None or zone is None else DateText.of(value, zone)


def _zone(values: Sequence[Any]) -> str | None:
    known = [value for value in values if value is not None]
    if not known or not all(isinstance(value, str) for value in known):
        return None
    for zone, form in (("", _NAIVE), (UTC, _AWARE)):
        if all(form.fullmatch(value) for value in known):
            return zone if not zone or all(map(_IN_UTC.fullmatch, known)) else UNKNOWN_ZONE
    return None
