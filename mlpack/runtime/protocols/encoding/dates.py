"""ISO 8601 texts into datetime64 arrays, for columns of dates."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, List, Optional, Sequence

import numpy as np

from ...models.predictor import Array
from .casting import CastError, Misfit, shown

_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
_FIRST, _LAST = "1677-09-22", "2262-04-10"  # days within the range of datetime64[ns]; dates in ISO 8601 sort as texts
_MISSING = np.datetime64("NaT")
EXAMPLE = "2024-01-31T12:00:00"


def cast_dates(values: Sequence[Any], zone: str) -> Array:
    """The texts as a 1-D datetime64[ns] array, in UTC where the column has a time `zone`; null is a missing value.

    A date is `2024-01-31`, `2024-01-31T12:00` or longer. A column with a time zone takes only times with an offset, one without
    takes none: to leave an offset out, or to assume one, would change the time.

    Raises:
        CastError: a value is no such text, no day of the calendar, or not between the years 1677 and 2262.
    """
    array = np.empty(len(values), dtype="datetime64[ns]")
    misfits: List[Misfit] = []
    for place, value in enumerate(values):
        found = _MISSING if value is None else _date(value, zone)
        if found is None:
            misfits.append(Misfit(place, date_expectation(zone), shown(value)))
            if len(misfits) == 5:
                break
        else:
            array[place] = found
    if misfits:
        raise CastError(misfits)
    return array


def date_texts(array: Array, zone: str) -> List[Optional[str]]:
    """The texts of a datetime64 array, None for a missing value."""
    end = "Z" if zone else ""
    return [None if np.isnat(one) else f"{np.datetime_as_string(one, unit='auto')}{end}" for one in array]


def date_expectation(zone: str) -> str:
    """What a date looks like in JSON, in words."""
    if zone:
        return f'an ISO 8601 time with an offset, such as "{EXAMPLE}Z", or null (date-time, {zone})'
    return f'an ISO 8601 date or time without an offset, such as "{EXAMPLE}", or null (date-time)'


def date_pattern(zone: str) -> str:
    """The regular expression of such texts, as JSON Schema has it."""
    time = r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    day = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    return rf"^{day}{time}(Z|[+-][0-9]{{2}}:?[0-9]{{2}})$" if zone else rf"^{day}({time})?$"


def example_date(zone: str) -> str:
    """A text that a column of dates takes."""
    return f"{EXAMPLE}Z" if zone else EXAMPLE


def _date(value: Any, zone: str) -> Optional[Any]:
    match = _DATE.fullmatch(value) if type(value) is str else None
    if match is None or bool(match[3]) != bool(zone) or not _FIRST <= match[1] <= _LAST:
        return None
    try:
        found = np.datetime64(f"{match[1]}T{match[2]}" if match[2] else match[1], "ns")
        return found - _offset(match[3]) if match[3] else found
    except ValueError:  # no day of the calendar, no time of the day
        return None


def _offset(text: str) -> Any:
    """What an offset such as `+02:00` is; raises ValueError for one that cannot be."""
    minutes = datetime.strptime("+0000" if text == "Z" else text.replace(":", ""), "%z").utcoffset()
    return np.timedelta64(minutes // timedelta(minutes=1), "m")  # type: ignore[operator]  # %z always gives an offset
