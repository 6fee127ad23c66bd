"""Check numbers that a file declares against sensible limits: whole(), counted(), scalars()."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from mlpack.readers.limits import CutOffError

MOST_FEATURES = 1 << 20  # columns of a row, which as JSON takes several megabytes
MOST_HASHED = 1 << 24  # columns of a matrix without names: hashed text has a million and more
MOST_COLUMNS = 1 << 16  # when each column is a separate input
MOST_CLASSES = 1 << 16  # of a booster; the card lists them
MOST_OUTPUTS = 1 << 20  # of a row: an estimator's classes or targets; not listed
_DIGITS = 18
_LARGE = 1 << 64


def whole(value: Any) -> int:
    """A whole number, or a text of decimal digits as one; raises CutOffError for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_DIGITS:
        return value
    if isinstance(value, str) and is_whole(value.removeprefix("-")):
        return int(value)
    raise CutOffError("a number in it is invalid")


def is_whole(text: str) -> bool:
    """Whether a text is a number for int(): ASCII digits, and not thousands of them."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def counted(value: Any, most: int, what: str) -> int:
    """A number of `what`; raises CutOffError when it is invalid or larger than `most`."""
    number = whole(value)
    if not 0 <= number <= most:
        raise CutOffError(f"it declares {number} {what}; at most {most} can be served")
    return number


def scalars(values: Iterable[Any]) -> tuple[Any, ...]:
    """Labels or categories, which are texts or finite numbers; raises CutOffError for anything else."""
    found = tuple(values)
    if not all(_is_scalar(value) for value in found):
        raise CutOffError("its labels are neither texts nor numbers")
    return found


def _is_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str) or (isinstance(value, int) and abs(value) < _LARGE)
