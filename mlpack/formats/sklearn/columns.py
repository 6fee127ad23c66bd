"""What each input column holds, as encoders and imputers reveal it: its data type and the values that are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mlpack.formats.sklearn.boosters import PACKAGES, boosted
from mlpack.formats.sklearn.encoders import DATE, Column, encoded, imputed
from mlpack.formats.sklearn.estimators import Estimator, any_instance, scalar, sequence, type_of_scalars
from mlpack.formats.sklearn.kinds import ENCODERS, TEXT
from mlpack.formats.sklearn.likes import liked
from mlpack.formats.sklearn.methods import inner, steps
from mlpack.readers.pickles.values import Global, Instance

_IMPUTERS = frozenset({"SimpleImputer", "Imputer"})
_DEPTH = 25  # pipelines in pipelines; deeper ones are not looked into


_NUMBER = Column(dtype="FP64")
_DATETIME = re.compile(r"datetime(64(\[(s|ms|us|ns)\])?)?")
_UNREAD = Column(used=False)


def columns_of(step: Any, names: Sequence[str], depth: int = 0) -> list[Column]:
    """What a step reveals of the columns `names` that it is given, in their order."""
    nothing = [Column()] * len(names)
    if step == "drop":
        return [_UNREAD] * len(names)
    one = any_instance(step)
    if one is None or depth > _DEPTH:
        return nothing
    if one.name in _HOLDERS:
        return _HOLDERS[one.name](one, names, depth)
    if one.own and one.name in ENCODERS:
        return encoded(one, len(names))
    if one.name in _IMPUTERS:
        return imputed(one, len(names))
    if one.own and one.name in TEXT:
        return [Column(dtype="BYTES", null=False)] * len(names)
    if one.name == "FunctionTransformer":
        return nothing
    if one.package in PACKAGES or liked(one) is not None:
        return _own_columns(one, len(names))
    if one.kind is None:
        return _foreign(one, names)
    # HistGradientBoosting* encodes categories by itself, with a ColumnTransformer of its own.
    below = one.get("_preprocessor") if one.name.startswith("HistGradientBoosting") else inner(one)
    return columns_of(below, names, depth + 1) if any_instance(below) else [_NUMBER] * len(names)


def own_function(one: Estimator) -> bool:
    """Whether a step is a function of the user's, which may take columns of any types: numpy's functions take numbers."""
    if one.name != "FunctionTransformer" or one.get("validate"):
        return False
    function = one.get("func")
    if isinstance(function, Instance) and function.class_name == "functools.partial" and function.args:
        function = function.args[0]
    if isinstance(function, Instance) and "ufunc" in function.class_name:
        return False
    package = function.module.partition(".")[0] if isinstance(function, Global) else ""
    return function is not None and package not in ("numpy", "scipy", "sklearn")


def _pipeline(model: Estimator, names: Sequence[str], depth: int) -> list[Column]:
    """The first step that reveals something, and after an imputer or a step that hands columns on the next one as well.

    After a step of others' code only more of those tell something: they name the columns that they treat. What a step tells
    behind a function of the user's is a guess.
    """
    found = [_UNREAD] * len(names) if any(any_instance(step) for _, step in steps(model)) else [Column()] * len(names)
    foreign = changed = filled = guess = False
    for _, step in steps(model):
        one = any_instance(step)
        if one is None or (one.package == "imblearn" and one.kind is None) or (foreign and one.kind is not None):
            continue
        foreign = foreign or one.kind is None
        told = columns_of(step, names, depth + 1)
        if changed:  # it may have filled what was missing
            told = [replace(column, null=True, whole_as_text=False) for column in told]
        told = [column.filled() for column in told] if filled else told
        told = [column.guessed() for column in told] if guess else told
        changed = True
        filled = filled or one.name in _IMPUTERS
        guess = guess or own_function(one)
        found = [a.joined(b) for a, b in zip(found, told, strict=True)]
        if not foreign and one.name not in _IMPUTERS and one.name != "FunctionTransformer":
            break
    return found


def _union(model: Estimator, names: Sequence[str], depth: int) -> list[Column]:
    found = [_UNREAD] * len(names)
    for pair in sequence(model.get("transformer_list")) or []:
        if isinstance(pair, list | tuple) and len(pair) == 2 and pair[1] != "drop":
            found = [a.joined(b) for a, b in zip(found, columns_of(pair[1], names, depth + 1), strict=True)]
    return found


def _column_transformer(model: Estimator, names: Sequence[str], depth: int) -> list[Column]:
    found: list[Column] = [_UNREAD] * len(names)
    given = sequence(model.get("transformers")) or []
    for number, part in enumerate(sequence(model.get("transformers_", "transformers")) or []):
        if not (isinstance(part, list | tuple) and len(part) == 3):
            continue
        places = _places(part[2], names)
        if number < len(given) and _selects_dates(given[number]):
            for place in places:
                found[place] = found[place].joined(DATE)
            continue
        # What is handed on as it is reaches estimators of numbers, else it would have been encoded.
        through = part[1] == "passthrough"
        columns = (
            [_NUMBER] * len(places) if through else columns_of(part[1], [names[place] for place in places], depth + 1)
        )
        for place, column in zip(places, columns, strict=True):
            found[place] = found[place].joined(column)
    return found


def _selects_dates(part: Any) -> bool:
    """Whether a part's columns were selected by the type datetime64 (`make_column_selector(dtype_include="datetime64")`)."""
    selector = any_instance(part[2]) if isinstance(part, list | tuple) and len(part) == 3 else None
    if selector is None or selector.name != "make_column_selector":
        return False
    included = selector.get("dtype_include")
    types = included if isinstance(included, list | tuple) else [included]
    names = {one if isinstance(one, str) else getattr(one, "name", "") for one in types}
    return bool(names) and all(_DATETIME.fullmatch(name) for name in names)


_HOLDERS: dict[str, Callable[[Estimator, Sequence[str], int], list[Column]]] = {
    "Pipeline": _pipeline,
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _union,
}


def _places(chosen: Any, names: Sequence[str]) -> list[int]:
    """Which columns a ColumnTransformer's third element chooses: names, numbers, a mask or a slice of either."""
    if isinstance(chosen, Instance) and chosen.class_name.endswith(".slice"):
        return _sliced((*chosen.args, None, None, None)[:3], names)
    if isinstance(chosen, slice):
        return _sliced((chosen.start, chosen.stop, chosen.step), names)
    values = [chosen] if isinstance(chosen, str | int) else sequence(chosen) or []
    if values and all(isinstance(value, bool) for value in values):
        return [place for place, value in enumerate(values) if value and place < len(names)]
    places = [_place(value, names) for value in values]
    return [place for place in places if place is not None and place < len(names)]


def _sliced(bounds: tuple[Any, ...], names: Sequence[str]) -> list[int]:
    start, stop = (_place(bound, names) for bound in bounds[:2])
    if isinstance(bounds[1], str) and stop is not None:
        stop += 1  # a slice by names includes its end
    step = bounds[2] if isinstance(bounds[2], int) and bounds[2] else None
    return list(range(len(names))[slice(start, stop, step)])


def _place(value: Any, names: Sequence[str]) -> int | None:
    if isinstance(value, int) and -len(names) <= value <= len(names):
        return value % len(names) if value != len(names) and names else value
    return names.index(value) if isinstance(value, str) and value in names else None


def _own_columns(model: Estimator, width: int) -> list[Column]:
    """The columns of a booster with its own categories, or of a model fitted by a formula."""
    if (like := liked(model)) is not None:
        return [
            Column(dtype=dtype or None, categories=known or None, example=example)
            for dtype, known, example in zip(like.dtypes, like.categories, like.examples, strict=True)
            if len(like.dtypes) == width
        ] or [_NUMBER] * width
    booster = boosted(model)
    if booster is None or booster.count != width:
        return [_NUMBER] * width
    return [
        Column(
            dtype="BYTES" if place in booster.texts else "FP64",
            categories=tuple(scalar(value) for value in booster.categories.get(place, ())) or None,
            null=place not in booster.texts or place in booster.categories,
            whole_as_text=place in booster.identifiers,
        )
        for place in range(width)
    ]


def _foreign(model: Estimator, names: Sequence[str]) -> list[Column]:
    """What feature_engine's and category_encoders' encoders keep: the text columns they treat and the values they know."""
    words = ("Categor", "Encod", "Label")
    about = model.get("variables_", "variables", "cols") if any(word in model.name for word in words) else None
    known = model.get("encoder_dict_")
    text = {name for name in sequence(about) or [] if isinstance(name, str)}
    # A mapper of one's own, as tutorials write it: the columns, and a dictionary from text to number.
    mapping = model.get("mappings", "mapping")
    if isinstance(mapping, dict) and mapping and all(isinstance(key, str) for key in mapping):
        about = sequence(model.get("variables_", "variables", "columns", "cols")) or []
        text |= {name for name in about if isinstance(name, str)}
        known = dict.fromkeys(text, mapping)
    if model.package == "feature_engine" and model.name.startswith("Datetime"):
        dates = {name for name in sequence(model.get("variables_")) or [] if isinstance(name, str)}
        # It takes dates with and without a time zone, and texts; which they were, the file does not tell.
        return [replace(DATE, guess=True) if name in dates else Column() for name in names]
    if "Median" in model.name or "Log" in model.name:
        numbers = {name for name in sequence(model.get("variables_", "variables")) or [] if isinstance(name, str)}
        return [_NUMBER if name in numbers else Column() for name in names]
    return [_foreign_column(name, text, known if isinstance(known, dict) else {}) for name in names]


def _foreign_column(name: str, text: set[str], known: dict[Any, Any]) -> Column:
    if name not in text:
        return Column()
    values = known.get(name)
    listed = list(values) if isinstance(values, dict) else sequence(values)
    if not listed:
        return Column(dtype="BYTES")
    return Column(dtype=type_of_scalars(listed), categories=tuple(scalar(value) for value in listed))
