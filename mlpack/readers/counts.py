"""Numbers that a file says of itself, held against what is possible: whole(), counted(), scalars()."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from mlpack.readers.limits import CutOffError

MOST_FEATURES = 1 << 20  # columns of a row: as JSON, several megabytes
MOST_HASHED = 1 << 24  # columns of one matrix that are not listed: text that is hashed has a million and more
MOST_COLUMNS = 1 << 16  # where each column is an input by itself
MOST_CLASSES = 1 << 16  # of a booster, which the card lists
MOST_OUTPUTS = 1 << 20  # of a row: an estimator's classes or targets, not listed
_DIGITS = 18
_LARGE = 1 << 64


def whole(value: Any) -> int:
    """A whole number, also as a text of plain digits; raises CutOffError for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_DIGITS:
        return value
    if isinstance(value, str) and is_whole(value.removeprefix("-")):
        return int(value)
    raise CutOffError("a number in it is none")


def is_whole(text: str) -> bool:
    """Whether a text is digits that int() takes: neither those of other scripts, nor thousands of them."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS


def counted(value: Any, most: int, what: str) -> int:
    """A number of `what`; raises CutOffError when it cannot be, or is more than a service of it could handle."""
    number = whole(value)
    if not 0 <= number <= most:
        raise CutOffError(f"it says that it has {number} {what}, where {most} are the most that can be served")
    return number


def scalars(values: Iterable[Any]) -> tuple[Any, ...]:
    """Labels or categories: texts and finite numbers; raises CutOffError for anything else."""
    found = tuple(values)
    if not all(_is_scalar(value) for value in found):
        raise CutOffError("its labels are neither texts nor numbers")
    return found


def _is_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str) or (isinstance(value, int) and abs(value) < _LARGE)
