"""Which columns of a LightGBM model hold which of its pandas categories, which the file lists without their columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

UNPLACED = "the file does not record which columns its pandas categories belong to"
UNPLACED_BY_ROWS = (
    f"{UNPLACED}, and the sample does not show it (its rows need the values of training, not the codes of pandas)"
)
_BOUNDS = re.compile(rb"\[([^:\]]+):([^:\]]+)\]")
_NO_CODES = (-1, -1)
Categories = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What tells the columns of the categories: `listed` are the categorical columns, `infos` the `feature_infos` line.

    LightGBM writes the categories of all pandas' category columns, in the order of the columns. It lists as categorical all
    that are not ordered, or those that the user chose, which may be other columns.
    """

    categories: tuple[Categories, ...] = ()
    listed: tuple[int, ...] = ()
    infos: tuple[bytes, ...] = field(default=(), repr=False)
    width: int = 0

    def settled(
        self, possible: Collection[int] | None = None, samples: Mapping[int, Sequence[Any]] | None = None
    ) -> dict[int, Categories] | None:
        """The categories by column; None when more than one placement fits what training saw of each column.

        `possible`: the columns that can have categories, None for all; `samples` are values of the user's rows by column.
        """
        if not self.categories:
            return {}
        ranges = [_range(info) for info in self.infos] or [None] * self.width
        given = samples or {}
        values = {id(known): _values(known) for known in self.categories if given}

        def fits(known: Categories, place: int) -> bool:
            seen = ranges[place]
            in_range = seen is None or (seen[0] >= 0 and seen[1] < len(known))
            allowed = possible is None or place in possible
            return in_range and allowed and all(_among(value, values[id(known)]) for value in given.get(place, ()))

        def likely(known: Categories, place: int) -> bool:
            whole = place in self.listed or ranges[place] == (0, len(known) - 1) or not self.infos
            return whole and fits(known, place)

        if len(self.listed) == len(self.categories) and all(map(fits, self.categories, self.listed)):
            # Text on a column of numbers would refuse every request; only numbers could be taken for others.
            found = self.listed if self._certain(likely, texts=False) is not None else None
        else:
            found = self._certain(fits)
        return None if found is None else dict(zip(found, self.categories, strict=True))

    def _certain(self, fits: Callable[[Categories, int], bool], *, texts: bool = True) -> tuple[int, ...] | None:
        """The first placement that fits, if all others agree with it; without `texts` only those of numbers have to agree.

        Categories 0, 1, 2, ... are their own codes, which are right on any column that fits. A single one fits only a constant
        column, which no tree uses.
        """
        first = _earliest(self.categories, range(self.width), fits)
        last = _earliest(self.categories[::-1], range(self.width - 1, -1, -1), fits)
        if first is None or last is None:
            return None
        same = all(
            one == other or len(known) < 2 or known == tuple(range(len(known))) or (_text(known) and not texts)
            for one, other, known in zip(first, last[::-1], self.categories, strict=True)
        )
        return first if same else None


def _earliest(
    categories: Sequence[Categories], places: Sequence[int], fits: Callable[[Categories, int], bool]
) -> tuple[int, ...] | None:
    """Each of the categories in the first of the places that fits, after that of the one before."""
    left = iter(places)
    found = tuple(next((place for place in left if fits(known, place)), -1) for known in categories)
    return None if -1 in found else found


def _range(info: bytes) -> tuple[int, int] | None:
    """The lowest and highest value of a column in training: `[0:2]` or `-1:0:2:1`; None if it says nothing."""
    bounds = _BOUNDS.fullmatch(info)
    try:
        values = [float(value) for value in (bounds.groups() if bounds else info.split(b":"))]
    except ValueError:  # `none`: a column that training did not use
        return None
    if not bounds:
        values = [value for value in values if value != -1] or [0]  # -1 is the bin of what is missing
    whole = all(value.is_integer() for value in values)
    return (int(min(values)), int(max(values))) if whole else _NO_CODES


def _values(known: Categories) -> frozenset[Any]:
    """The categories, and the numbers that texts among them are: a .csv file has 123 for "0123"."""
    return frozenset(known) | {_number(one) for one in known if isinstance(one, str)}


def _among(value: Any, values: frozenset[Any]) -> bool:
    """Whether a sample's value is one of these, or missing."""
    return value is None or (isinstance(value, str | int | float) and value in values)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(known: Categories) -> bool:
    return any(isinstance(value, str) for value in known)
