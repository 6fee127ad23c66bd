"""Column: what a fitted encoder or imputer reveals of an input column."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from mlpack.artifacts.model import Scalar
from mlpack.formats.sklearn.estimators import Estimator, data_type, scalar, sequence
from mlpack.readers.dates import UTC
from mlpack.readers.pickles.values import Array, Instance

Missing = Literal["", "none", "nan"]
# how pandas 2, pandas 1 and older ones pickle a Timestamp: its value, frequency, time zone
_TIMESTAMPS = frozenset({
    "pandas._libs.tslibs.timestamps._unpickle_timestamp", "pandas._libs.tslibs.timestamps.Timestamp",
    "pandas._libs.tslib.Timestamp",
})  # fmt: skip
_NAT = "pandas._libs.tslibs.nattype._nat_unpickle"
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", re.ASCII)
# Words for `handle_unknown` with which any value is answered, also a missing one and one that is no whole number.
_TOLERANT = frozenset({"ignore", "infrequent_if_exist", "warn", "use_encoded_value"})
_MOST_EXACT = 2**53


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column's V2 data type (None when nothing reveals it), the values its encoder knows, whether anything reads it.

    `null` says whether a text may be missing, `whole_as_text` that a whole number stands for its text. `missing` is what stood
    for a missing value in training: None or NaN; "" if nothing tells. `objects`: its numbers, booleans or dates were Python
    objects. `date` is the time zone of a column of dates ("" for dates without one), None for other columns. `guess`: all this
    is told by a step behind a function or class that may have changed the column. `example` is a value that the model can take.
    `problem` completes "column ..." with the reason why no request can hold its values.
    """

    dtype: str | None = None
    categories: tuple[Scalar, ...] | None = None
    used: bool = True
    null: bool = True
    whole_as_text: bool = False
    missing: Missing = ""
    objects: bool = False
    date: str | None = None
    guess: bool = False
    example: Scalar = None
    problem: str = ""

    def joined(self, other: Column) -> Column:
        """What both say of one column: text wins over numbers, who knows over who does not, and over who guesses."""
        if not self.used or not other.used:
            return other if not self.used else self
        if self.guess != other.guess and None not in (self.dtype, other.dtype):
            return other if self.guess else self
        text = "BYTES" if "BYTES" in (self.dtype, other.dtype) else None
        return Column(
            dtype=text or self.dtype or other.dtype,
            categories=self.categories if self.categories is not None else other.categories,
            null=self.null and other.null,
            whole_as_text=self.whole_as_text and other.whole_as_text,
            # An imputer of NaN leaves None as it is: an encoder behind it that knows None has seen it in training.
            missing="none" if "none" in (self.missing, other.missing) else self.missing or other.missing,
            objects=self.objects or other.objects,
            date=other.date if self.date is None else self.date,
            guess=self.guess or other.guess,
            example=other.example if self.example is None else self.example,
            problem=self.problem or other.problem,
        )

    def filled(self) -> Column:
        """The column where a value may be missing that the data type has no word for, such as before an imputer."""
        whole = self.dtype is not None and self.dtype.startswith(("INT", "UINT"))
        return replace(self, dtype="FP64" if whole or self.dtype == "BOOL" else self.dtype)

    def guessed(self) -> Column:
        """The column before a function of the user's: texts are likely texts there, too; of all else nothing is known."""
        return replace(self, guess=True, used=True, problem="") if self.dtype == "BYTES" else Column()


DATE = Column(dtype="BYTES", date="")


def encoded(model: Estimator, width: int) -> list[Column]:
    """The columns of an encoder, by the categories that it learned."""
    columns = [_by_categories(known) for known in sequence(model.get("categories_")) or []]
    if model.get("handle_unknown") in _TOLERANT or model.name == "TargetEncoder":
        columns = [column.filled() if _exact(column) else column for column in columns]
    return (columns + [Column()] * width)[:width]


def _exact(column: Column) -> bool:
    """Whether the categories are whole numbers that FP64 holds exactly."""
    numbers = column.categories
    whole = numbers is not None and all(isinstance(one, int) and abs(one) <= _MOST_EXACT for one in numbers)
    return whole and column.dtype != "BOOL"


def imputed(model: Estimator, width: int) -> list[Column]:
    """The columns of an imputer, by what it puts in place of missing values."""
    statistics = model.get("statistics_")
    if isinstance(statistics, Array) and statistics.dtype[-1:] != "O":
        return [Column(dtype="FP64")] * width
    marks = [model.attributes["missing_values"]] if "missing_values" in model.attributes else []
    missing = _missing(marks)
    columns = [
        Column(dtype="BYTES", missing=missing)
        if isinstance(value, str)
        else Column(missing=missing, objects=isinstance(value, bool) or missing == "none")
        for value in sequence(statistics) or []
    ]
    return (columns + [Column()] * width)[:width]


def _by_categories(known: Any) -> Column:
    if isinstance(known, Array) and known.dtype.lstrip("<>|=")[:1] == "M":
        return DATE
    dtype, values = data_type(known), sequence(known)
    if values is None:
        return Column(dtype=dtype)
    python = not isinstance(known, Array) or known.dtype[-1:] == "O"
    if made := [value for value in values if isinstance(value, Instance) and value.class_name != _NAT]:
        return _of_instances(made)
    if python and any(isinstance(value, bytes) for value in values):
        return Column(dtype="BYTES", problem="holds bytes, and texts were sent")
    return Column(
        dtype=dtype,
        categories=tuple(scalar(value) for value in values),
        missing=_missing(values) if python else "",
        objects=python and dtype != "BYTES",
    )


def _missing(values: list[Any]) -> Missing:
    if any(value is None for value in values):
        return "none"
    return "nan" if any(isinstance(value, float) and value != value for value in values) else ""  # noqa: PLR0124 - NaN


def _of_instances(values: list[Instance]) -> Column:
    """A column of times, if all are of one time zone; JSON has no form for other objects."""
    zones = {_zone(value) for value in values}
    zone = zones.pop()
    if zones or zone is None:
        return Column(dtype="BYTES", problem=f"holds objects of {values[0].class_name}, for which JSON has no form")
    return replace(DATE, date=zone, objects=True)


def _zone(value: Instance) -> str | None:
    """The time zone of a pandas Timestamp or a datetime, "" for none; None for another object.

    An encoder compares points in time: where the zone has no name, UTC gives equal ones.
    """
    if value.class_name in _TIMESTAMPS:
        zone = value.args[2] if len(value.args) > 2 else None
    elif value.class_name == "datetime.datetime":
        zone = value.args[1] if len(value.args) > 1 else None
    else:
        return None
    if zone is None:
        return ""
    named = [one for one in zone.args if isinstance(one, str)] if isinstance(zone, Instance) else [zone]
    return next((one for one in named if isinstance(one, str) and _ZONE.fullmatch(one)), UTC)
