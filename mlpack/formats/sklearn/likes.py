"""Models with `predict` that are not built on scikit-learn: facts in the objects of statsmodels and PyOD."""

from __future__ import annotations

import itertools
import math
import re
import statistics
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlpack.formats.sklearn.estimators import Estimator, any_instance, data_type, sequence, shape, walk
from mlpack.readers.pickles.values import Array, Instance

SERIES = ("statsmodels.tsa.",)
# Where PyOD's detectors keep a table as wide as their input.
_TABLES = (("X_train", 1), ("X_train_", 1), ("training_data", 1), ("hist_", 1), ("components_", 1), ("_mean", 0))
_MOST_CATEGORIES = 1000
_MOST_COLUMNS = 100_000  # of a table that a formula is computed with
_WORD = re.compile(r"[A-Za-z_]\w*")
_TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True, kw_only=True)
class Like:
    """The facts of a model: its columns and their data types ("" for an unknown one), the width of its output.

    `problem` says why it answers no rows, `advice` what to do instead, with `{file}` for the file's name.
    """

    count: int | None = None
    names: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    categories: tuple[tuple[Any, ...], ...] = ()  # by column, what the training table held where that is text
    examples: tuple[float | None, ...] = ()  # by column, about the median of the training table's numbers
    width: int = 0
    problem: str = ""
    advice: str = ""


def liked(model: Estimator) -> Like | None:
    """The facts of a statsmodels result or a PyOD detector; None for others."""
    if model.package == "statsmodels":
        return _statsmodels(model)
    return _pyod(model) if model.package == "pyod" else None


def _statsmodels(model: Estimator) -> Like:
    if model.path.startswith(SERIES):
        return Like(
            problem="it forecasts a time series from its past values, so there are no rows to predict",
            advice="`mlpack init {file}` writes a predict.py that calls `forecast`: check it, and build with --predictor.",
        )
    results = any_instance(model.get("_results")) or model
    fitted = any_instance(results.get("model"))
    data = any_instance(fitted.get("data")) if fitted else None
    params = shape(results.get("params"))
    width = params[1] + 1 if len(params) == 2 else 0  # MNLogit: one column less than there are outcomes
    formula = data.get("formula") if data else None
    if isinstance(formula, str):
        return _by_formula(formula, data.get("frame") if data else None, width)
    table = shape(fitted.get("exog")) if fitted else ()
    count = table[1] if len(table) == 2 else params[0] if params else None
    names = _columns(data.get("orig_exog")) if data else ()
    return Like(count=count, names=names if len(names) == count else (), width=width)


def _by_formula(formula: str, frame: Any, width: int) -> Like:
    """The columns that the right side of a formula names, with what the training table held in them."""
    right = _TEXT.sub("", formula.partition("~")[2])
    kinds = dict(zip(_columns(frame), _kinds(frame), strict=False))
    if not kinds:
        return Like(
            problem=f"it was fitted by the formula {formula[:80]!r}, and the file does not record the columns of its table"
        )
    named = [name for name in dict.fromkeys(_WORD.findall(right)) if name in kinds]
    known = dict(zip(_columns(frame), _known(frame, len(kinds)), strict=False))
    return Like(
        count=len(named),
        names=tuple(named),
        dtypes=tuple(kinds[name] for name in named),
        categories=tuple(known[name] for name in named),
        examples=_medians(frame, named),
        width=width,
    )


def _manager(frame: Any) -> Instance | None:
    one = any_instance(frame)
    manager = one.get("_mgr", "_data") if one else None
    return manager if isinstance(manager, Instance) and len(manager.args) == 2 else None


def _blocks(frame: Any) -> list[Any]:
    """A pickled DataFrame's blocks of columns of one data type."""
    manager = _manager(frame)
    found = manager.args[0] if manager else ()
    return list(found) if isinstance(found, list | tuple) else []


def _columns(frame: Any) -> tuple[str, ...]:
    """A pickled DataFrame's column names, () when they are not texts or not to be had."""
    manager = _manager(frame)
    axes = manager.args[1] if manager else None
    if not isinstance(axes, list | tuple) or len(axes) != 2:
        return ()
    values = sequence(axes[0]) or next(_texts(axes[0]), [])
    return tuple(values) if all(isinstance(value, str) for value in values) else ()


def _texts(value: Any) -> Iterator[list[Any]]:
    """The texts of a pandas Index, in numpy's arrays or in pyarrow's."""
    for part in walk(value):
        if isinstance(part, Array) and (values := part.values()) is not None:
            yield values
        elif isinstance(part, Instance) and part.class_name == "pyarrow.lib._restore_array":
            yield _arrow_texts(part.args[0] if part.args else ())


def _arrow_texts(state: Any) -> list[str]:
    """An array of texts as pyarrow pickles it: type, length, nulls, offset, buffers (validity, beginnings, all bytes)."""
    if not isinstance(state, tuple) or len(state) < 5 or not isinstance(state[4], list) or len(state[4]) != 3:
        return []
    places, content = (next(iter(one.args), b"") if isinstance(one, Instance) else b"" for one in state[4][1:])
    large = isinstance(state[0], Instance) and state[0].args[:1] == ("large_string",)
    length, offset = state[1], state[3]
    whole = (
        isinstance(length, int)
        and isinstance(offset, int)
        and 0 <= length <= _MOST_COLUMNS
        and 0 <= offset <= _MOST_COLUMNS
    )
    if not whole or not all(isinstance(one, bytes | bytearray) for one in (places, content)):
        return []
    form = f"<{offset + length + 1}{'q' if large else 'i'}"
    if len(places) < struct.calcsize(form):
        return []
    bounds = struct.unpack_from(form, places)[offset:]
    return [bytes(content[start:stop]).decode("utf-8", "replace") for start, stop in itertools.pairwise(bounds)]


def _kinds(frame: Any) -> list[str]:
    """A pickled DataFrame's data types by column, "" for an unknown one."""
    found: dict[int, str] = {}
    for block in _blocks(frame):
        if isinstance(block, Instance) and len(block.args) >= 2:
            kind = _kind(block.args[0])
            found.update(dict.fromkeys(_places(block.args[1]), kind))
    return [found.get(place, "") for place in range(max(found, default=-1) + 1)]


def _known(frame: Any, count: int) -> list[tuple[Any, ...]]:
    """The different texts in each column of a pickled DataFrame, () for numbers, and where there are many."""
    found: list[tuple[Any, ...]] = [()] * count
    for block in _blocks(frame):
        places = _places(block.args[1]) if isinstance(block, Instance) and len(block.args) >= 2 else []
        if not places or max(places) >= count or _kind(block.args[0]) != "BYTES":
            continue
        texts = next(_texts(block.args[0]), [])
        rows = len(texts) // len(places)
        for number, place in enumerate(places):
            held = texts[number * rows : (number + 1) * rows]
            different = sorted({one for one in held if isinstance(one, str)})
            found[place] = tuple(different) if len(different) <= _MOST_CATEGORIES else ()
    return found


def _medians(frame: Any, named: list[str]) -> tuple[float | None, ...]:
    """About the median of each named column of numbers, within its range: a spline takes no number outside of it."""
    found: dict[int, float] = {}
    for block in _blocks(frame):
        places = _places(block.args[1]) if isinstance(block, Instance) and len(block.args) >= 2 else []
        if not places or _kind(block.args[0]) != "FP64":
            continue
        numbers = block.args[0].values() or []
        rows = len(numbers) // len(places)
        for number, place in enumerate(places):
            held = numbers[number * rows : (number + 1) * rows]
            if (
                median := _median([one for one in held if isinstance(one, int | float) and math.isfinite(one)])
            ) is not None:
                found[place] = median
    columns = _columns(frame)
    return tuple(found.get(columns.index(name)) for name in named)


def _median(numbers: list[float]) -> float | None:
    """The median to three digits, or exactly where that leaves the range."""
    if not numbers:
        return None
    exact = statistics.median_low(numbers)
    rounded = float(f"{exact:.3g}")
    return rounded if min(numbers) <= rounded <= max(numbers) else exact


def _kind(values: Any) -> str:
    if not isinstance(values, Array):  # pandas' own arrays: of texts or categories
        return "BYTES"
    dtype = data_type(values) if values.dtype[-1:] != "O" else "BYTES"
    return dtype if dtype in ("BYTES", "BOOL") else "FP64"


def _places(placement: Any) -> list[int]:
    if isinstance(placement, Instance) and len(placement.args) == 3:
        start, stop, step = (bound if isinstance(bound, int) else None for bound in placement.args)
        return list(range(_MOST_COLUMNS))[start : stop : step or None]
    return [place for place in sequence(placement) or [] if isinstance(place, int) and 0 <= place < _MOST_COLUMNS]


def _pyod(model: Estimator) -> Like:
    for name, axis in _TABLES:
        size = shape(model.get(name))
        if len(size) > axis:
            return Like(count=size[axis])
    for value in walk(model.instance):
        if isinstance(value, Instance) and value is not model.instance:
            count = value.attributes().get("n_features_in_")
            if isinstance(count, int) and count > 0:
                return Like(count=count)
    return Like()
