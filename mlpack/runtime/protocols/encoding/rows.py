"""Rows of JSON into a signature's arrays: lists, named records or single values, checked before anything is queued."""

from __future__ import annotations

import math
from itertools import chain
from operator import itemgetter
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ...card import Signature, TensorSpec
from ...errors import BadInputError, TooManyRowsError
from ...models.predictor import Array, Arrays
from .casting import NUMBERS_OR_NULL, CastError, Rules, cast, expectation, shown
from .dates import cast_dates, date_expectation
from .names import ColumnNames, Matched
from .objects import EXPECTED, check_objects
from .tensors import cast_nested

_MOST_PROBLEMS = 5


class Rows:
    """Decodes a list of instances for one signature. Made once for each signature, used for every request.

    An instance is a list in the signature's order, an object by name, or, where a signature wants one value a row, the value.
    `names` are the columns' or tensors', where the signature has them, and `width` how many there are; `columns` also knows
    those that only training had. `flat` says that a row holds single values, `raw` that it is any JSON value.
    """

    def __init__(self, signature: Signature, max_rows: int, *, infinite: bool = False) -> None:
        self.max_rows = max_rows
        self.inputs = signature.inputs
        self._rules = {spec.name: rules_of(signature, spec, infinite=infinite) for spec in signature.inputs}
        self._dates = signature.dates
        self._objects = signature.objects
        self.raw = bool(signature.raw) and all(spec.name in signature.raw for spec in signature.inputs)
        self.matrix = signature.layout == "matrix"
        self.flat = self.matrix or all(len(spec.shape) <= 1 for spec in signature.inputs)
        if self.matrix:
            last = signature.inputs[0].shape[-1]
            self.width: Optional[int] = last if isinstance(last, int) and last >= 0 else len(signature.columns) or None
            self.names = signature.columns if len(signature.columns) == self.width else ()
        else:
            self.width = len(signature.inputs)
            self.names = tuple(spec.name for spec in signature.inputs)
        self.columns = ColumnNames(self.names, signature.trained_columns)
        self._pick = _picker(self.names)
        self._plain = self.matrix and self.width is not None and self.inputs[0].dtype == "FP64"

    def decode(self, instances: Any) -> Tuple[Arrays, int]:
        """The signature's arrays, and how many rows they have.

        Raises:
            BadInputError: a row, a column or a value does not fit; says which, and what was expected.
            TooManyRowsError: more than `max_rows`.
        """
        if type(instances) is not list:
            raise BadInputError(f"the rows must be a list, not {shown(instances)}")
        count = len(instances)
        if count == 0:
            raise BadInputError("there are no rows: the list is empty")
        if count > self.max_rows:
            raise TooManyRowsError(
                f"{count} rows are more than {self.max_rows}; send them in several requests",
                detail={"rows": count, "max_rows": self.max_rows},
            )
        if self.raw:
            if self._objects:
                check_objects(instances)
            return {self.inputs[0].name: as_they_are(instances)}, count
        if count == 1 and self._plain:
            array = self._one_row(instances)
            if array is not None:
                return {self.inputs[0].name: array}, 1
        table = self._table(instances)
        if self.matrix:
            return {self.inputs[0].name: self._to_matrix(table)}, count
        columns = zip(self.inputs, zip(*table))
        return {spec.name: self._to_column(values, spec) for spec, values in columns}, count

    def _one_row(self, instances: List[Any]) -> Optional[Array]:
        """A single row of plain numbers, as most requests are, in half the time; None for any other row."""
        row = instances[0]
        if type(row) is not list or len(row) != self.width or not NUMBERS_OR_NULL.issuperset(map(type, row)):
            return None
        if math.inf in row or -math.inf in row:
            return None
        try:
            return np.array(instances, dtype=np.float64)
        except OverflowError:  # an integer beyond the floats
            return None

    def expected(self) -> Dict[str, Any]:
        """What a row must be, for error messages."""
        if self._objects:
            return {"row": EXPECTED}
        if self.raw:
            return {"row": "any JSON value that the model's own code takes"}
        if self.matrix and not self.names:
            many = "numbers of the same count in each row" if self.width is None else f"{self.width} values"
            return {"row": f"a list of {many}", "value": expectation(self.inputs[0].dtype)}
        columns = [{"name": name, "value": self._value(spec)} for name, spec in zip(self.names, self._column_specs())]
        return {"row": "an object with these keys, or a list in this order", "columns": columns}

    def _value(self, spec: TensorSpec) -> str:
        if spec.name in self._dates:
            return date_expectation(self._dates[spec.name])
        return expectation(spec.dtype, self._rules[spec.name])

    def _column_specs(self) -> Sequence[Any]:
        return self.inputs if not self.matrix else self.inputs * len(self.names)

    def dtypes(self, width: int) -> List[str]:
        """The dtype of each value of a list of this many values; BYTES for columns that the model drops."""
        known = dict(zip(self.names, (spec.dtype for spec in self._column_specs())))
        if width == len(self.columns.trained):
            return [known.get(name, "BYTES") for name in self.columns.trained]
        return [self.inputs[0].dtype] * width if len(self.inputs) == 1 else list(known.values())

    def _table(self, instances: List[Any]) -> Sequence[Sequence[Any]]:
        """The rows as sequences of equal width."""
        kinds = set(map(type, instances))
        if kinds == {list}:
            if self.flat or self.width != 1:
                return self._lists(instances)
        elif kinds == {dict} and not self._hold_bytes(instances):
            return self._records(instances)
        single = self.width == 1 and (list not in kinds or not self.flat)
        if single and (dict not in kinds or self._hold_bytes(instances)):
            return [(value,) for value in instances]
        raise _refusal(_wrong_kinds(instances, named=bool(self.names), bare=self.width == 1))

    def _lists(self, instances: List[Any]) -> Sequence[Sequence[Any]]:
        width = len(instances[0]) if self.width is None else self.width
        widths = set(map(len, instances))
        if width and widths == {width}:
            return instances
        trained = self.columns.trained
        if trained and widths == {len(trained)}:
            order = [trained.index(name) for name in self.names]
            return [[row[place] for place in order] for row in instances]
        raise _refusal(_wrong_widths(instances, width, self.names))

    def _records(self, instances: List[Any]) -> Sequence[Sequence[Any]]:
        if not self.names:
            raise BadInputError("this model's columns have no names: a row must be a list")
        if set(map(len, instances)) == {self.width}:
            try:
                return list(map(self._pick, instances))
            except KeyError:
                pass
        matches = [self.columns.matched(record) for record in instances]
        if not all(match.fits for match in matches):
            raise _refusal(_wrong_names(matches, len(self.names)))
        return [[row[name] for name in match.found.values()] for row, match in zip(instances, matches)]

    def _hold_bytes(self, instances: List[Any]) -> bool:
        """Whether each object among the rows is `{"b64": ...}`, the only value of its row, and no value by name."""
        single = not self.matrix and self.width == 1 and self.inputs[0].dtype == "BYTES" and self.names != ("b64",)
        return single and all(set(row) == {"b64"} for row in instances if type(row) is dict)

    def _to_matrix(self, table: Sequence[Sequence[Any]]) -> Array:
        width = len(table[0])
        spec = self.inputs[0]
        try:
            flat = list(chain.from_iterable(table))
            return cast(flat, spec.dtype, self._rules[spec.name]).reshape(len(table), width)
        except CastError as error:
            problems = []
            for misfit in error.misfits:
                row, place = divmod(misfit.place, width)
                column: Any = self.names[place] if self.names else place
                problems.append({"row": row, "column": column, "expected": misfit.expected, "got": misfit.got})
            raise _refusal(problems) from error

    def _to_column(self, values: Sequence[Any], spec: TensorSpec) -> Array:
        if len(spec.shape) > 1:
            return cast_nested(values, spec, self._rules[spec.name])
        try:
            if spec.name in self._dates:
                return cast_dates(values, self._dates[spec.name])
            return cast(values, spec.dtype, self._rules[spec.name])
        except CastError as error:
            problems = [
                {"row": misfit.place, "column": spec.name, "expected": misfit.expected, "got": misfit.got}
                for misfit in error.misfits
            ]
            raise _refusal(problems) from error


def rules_of(signature: Signature, spec: TensorSpec, *, infinite: bool = False) -> Rules:
    """What a tensor of the signature takes beside the values of its dtype."""
    known = signature.categories.get(spec.name, ())
    return Rules(
        flags=set(map(type, known)) - {type(None)} == {bool},
        booleans=signature.layout in ("matrix", "columns"),
        null=spec.name not in signature.not_null,
        whole_as_text=spec.name in signature.whole_as_text,
        infinite=infinite,
    )


def as_they_are(instances: List[Any]) -> Array:
    """One row each in an array of objects, unchanged."""
    array = np.empty(len(instances), dtype=object)
    for place, row in enumerate(instances):
        array[place] = row
    return array


def _picker(names: Tuple[str, ...]) -> Callable[[Any], Tuple[Any, ...]]:
    if len(names) == 1:
        only = names[0]
        return lambda record: (record[only],)
    return itemgetter(*names) if names else tuple


def _wrong_widths(instances: List[Any], width: int, names: Tuple[str, ...]) -> List[Dict[str, Any]]:
    wanted = f"a list of {max(width, 1)} values" + (f" ({', '.join(names)})" if 0 < len(names) <= 20 else "")
    return [
        {"row": number, "expected": wanted, "got": f"a list of {len(row)}"}
        for number, row in enumerate(instances)
        if len(row) != width or not width
    ]


def _wrong_names(matches: List[Matched], count: int) -> List[Dict[str, Any]]:
    problems: List[Dict[str, Any]] = []
    for number, match in enumerate(matches):
        if not match.fits:
            found = {"missing": match.missing[:50], "unknown": match.unknown[:50]}
            problem = {"row": number, "expected": f"exactly the {count} named columns", "got": match.said("column")}
            problems.append({**problem, **{word: names for word, names in found.items() if names}})
            if len(problems) == _MOST_PROBLEMS:
                break
    return problems


def _wrong_kinds(instances: List[Any], *, named: bool, bare: bool) -> List[Dict[str, Any]]:
    first = type(instances[0])
    wanted = "a list of values" + (" or an object with named columns" if named else "")
    rows = [number for number, row in enumerate(instances) if type(row) not in (list, dict)]
    if not rows or bare:
        wanted = "a row of the same kind as row 0 (all lists, all objects, or all values)"
        rows = [number for number, row in enumerate(instances) if type(row) is not first]
    return [{"row": number, "expected": wanted, "got": shown(instances[number])} for number in rows]


def _refusal(problems: List[Dict[str, Any]]) -> BadInputError:
    first = problems[0]
    column = f", column {shown(first['column'])}" if "column" in first else ""
    return BadInputError(
        f"row {first['row']}{column}: expected {first['expected']}, got {first['got']}",
        detail={"problems": problems[:_MOST_PROBLEMS]},
    )
