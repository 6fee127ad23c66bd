"""The categories of boosters: of those behind steps that hand columns on, and of those whose columns only sample rows tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts.model import UnknownCategories
from mlpack.formats.sklearn.boosters import Boosted, boosted
from mlpack.formats.sklearn.encoders import Column
from mlpack.formats.sklearn.estimators import Estimator, any_instance, scalar, sequence
from mlpack.formats.sklearn.methods import inner, members, steps
from mlpack.readers.boosters.lightgbm_categories import UNPLACED, UNPLACED_BY_ROWS
from mlpack.readers.samples import values_of

_PREDICTOR = "Write a predictor of your own (`predictor: predict.py`), which makes the columns as training did."
_DEPTH = 25


@dataclass(kw_only=True)
class Passed:
    """What boosters make of the model's columns: by place in a row, and which of them they take as pandas' categories.

    `widths` are numpy's types of whole-number categories that are not int64, which XGBoost compares. `problem` says why all
    this is not known, "" when it is; `by_sample`: sample rows would tell.
    """

    columns: dict[int, Column] = field(default_factory=dict)
    pandas: set[int] = field(default_factory=set)
    widths: dict[int, str] = field(default_factory=dict)
    unknown: UnknownCategories = ""
    problem: str = ""
    advice: str = ""
    by_sample: bool = False

    def refuse(self, problem: str, *, by_sample: bool = False) -> None:
        """Note why the inputs are not known."""
        self.problem, self.by_sample, self.advice = problem, by_sample, "" if by_sample else _PREDICTOR


@dataclass(frozen=True, kw_only=True)
class _Way:
    """From a model's columns to a booster: `origin` is, for each column handed on, its place in the model's rows.

    `frames`: each step on the way gives a DataFrame; `foreign`: code of others is on it, which may make categories.
    """

    origin: dict[int, int]
    direct: bool = True
    frames: bool = True
    foreign: bool = False


def passed_categories(model: Estimator, labels: Sequence[str], rows: Sequence[Any]) -> Passed:
    """The categories that boosters in a model record, on the model's columns `labels`; `rows` are the user's sample rows."""
    passed = Passed()
    for booster, way in _boosters(model, _Way(origin={place: place for place in range(len(labels))}), labels, 0):
        placed = _placed(passed, booster, way, labels, rows)
        if placed is not None:
            _add(passed, placed, way, labels)
    return passed


def _placed(passed: Passed, booster: Boosted, way: _Way, labels: Sequence[str], rows: Sequence[Any]) -> Boosted | None:
    """A booster with its categories on their columns; None for one of which nothing is to be added."""
    if way.direct and booster.count != len(labels):
        return None
    passed.widths |= {way.origin[place]: width for place, width in booster.widths.items() if place in way.origin}
    if booster.unplaced is None:
        return None if way.direct else booster
    given = {place: values_of(rows, labels, source) for place, source in way.origin.items()}
    found = booster.unplaced.settled(None if way.foreign else way.origin.keys(), given)
    if found is None:
        passed.refuse(UNPLACED_BY_ROWS if rows else UNPLACED, by_sample=not rows)
    return None if found is None else booster.placed(found)


def _add(passed: Passed, booster: Boosted, way: _Way, labels: Sequence[str]) -> None:
    """Add what a booster makes of the columns that are handed on to it."""
    for place in sorted(booster.texts | set(booster.categories)):
        known = booster.categories.get(place)
        source = way.origin.get(place)
        if source is None:
            if known and not way.foreign:
                passed.refuse("its booster was trained on pandas categories, and no step before it hands any on")
        elif known is None or (known and way.frames):
            passed.columns[source] = Column(
                dtype="BYTES" if place in booster.texts else "FP64",
                categories=tuple(map(scalar, known)) if known else None,
                null=known is not None,
                whole_as_text=place in booster.identifiers,
            )
            if known:
                passed.pandas.add(source)
                passed.unknown = "refused" if "refused" in (passed.unknown, booster.unknown) else booster.unknown
        elif known or way.frames:  # else a table of codes, which the steps before make
            passed.refuse(_why(labels[source], known))


def _why(name: str, known: tuple[Any, ...]) -> str:
    if known:
        return (
            f"its booster was trained on the pandas categories of {name}, and the file does not record that the step before it "
            'gives DataFrames (`set_output(transform="pandas")`)'
        )
    return f"its booster was trained on the pandas categories of {name}, and the file does not record their values"


def _boosters(model: Estimator, way: _Way, labels: Sequence[str], depth: int) -> Iterator[tuple[Boosted, _Way]]:
    """The boosters that get a model's columns, each with the way to it."""
    if depth > _DEPTH:
        return
    if (booster := boosted(model)) is not None:
        yield booster, way
        return
    if model.name == "Pipeline":
        given = [step for _, step in steps(model)]
        last = any_instance(given[-1]) if given else None
        for step in given[:-1]:
            way = _after(step, way, labels, last)
        below = [last]
    elif model.name.startswith(("Stacking", "Voting")):
        below = [any_instance(one) for one in members(model)[:20]]
    else:
        below = [any_instance(inner(model))] if model.kind is not None else []
    for one in below:
        if one is not None and one.instance is not model.instance:
            yield from _boosters(one, way, labels, depth + 1)


def _after(step: Any, way: _Way, labels: Sequence[str], last: Estimator | None, depth: int = 0) -> _Way:
    """The way behind one more step."""
    one = any_instance(step)
    if one is None or _hands_all_on(one):
        return way
    if one.name == "Pipeline" and depth < _DEPTH:
        for _, part in steps(one):
            way = _after(part, way, labels, last, depth + 1)
        return way
    configured = one.get("_sklearn_output_config")
    frames = way.frames and isinstance(configured, dict) and configured.get("transform") == "pandas"
    foreign = way.foreign or _foreign(one, 0)
    if one.name == "ColumnTransformer":
        origin = _through_columns(one, way)
    elif one.name == "FeatureUnion":
        origin = _through_union(one, way, labels, last)
    else:
        origin = {}
    return _Way(origin=origin, direct=False, frames=frames, foreign=foreign)


def _hands_all_on(one: Estimator) -> bool:
    sampler = one.package == "imblearn" and one.get("sampling_strategy") is not None
    return sampler or _passes(one.instance)


def _through_columns(model: Estimator, way: _Way) -> dict[int, int]:
    """Where the columns that a ColumnTransformer hands on come from, by their place behind it; since 1.0 it keeps both."""
    given, taken = model.get("output_indices_"), model.get("_transformer_to_input_indices")
    if not isinstance(given, dict) or not isinstance(taken, dict):
        return {}
    found: dict[int, int] = {}
    for part in sequence(model.get("transformers_")) or []:
        if isinstance(part, list | tuple) and len(part) == 3 and _passes(part[1]):
            first, end = _bounds(given.get(part[0]))
            places = sequence(taken.get(part[0])) or []
            if isinstance(first, int) and isinstance(end, int) and end - first == len(places):
                ways = zip(range(first, end), places, strict=True)
                found.update({place: way.origin[source] for place, source in ways if source in way.origin})
    return found


def _bounds(block: Any) -> tuple[Any, Any]:
    """The start and the end of a slice: an object in a pickle, a slice in skops."""
    if isinstance(block, slice):
        return block.start, block.stop
    held = any_instance(block)
    return (*held.instance.args, None, None)[:2] if held is not None else (None, None)


def _passes(step: Any) -> bool:
    one = any_instance(step)
    return step == "passthrough" or (one is not None and one.name == "FunctionTransformer" and one.get("func") is None)


def _through_union(model: Estimator, way: _Way, labels: Sequence[str], last: Estimator | None) -> dict[int, int]:
    """The same of a FeatureUnion, by the names `part__column` that it gives."""
    booster = boosted(last) if last is not None else None
    pairs = [
        pair
        for pair in sequence(model.get("transformer_list")) or []
        if isinstance(pair, list | tuple) and len(pair) == 2
    ]
    through = [str(name) for name, step in pairs if _passes(step)]
    sources = {f"{part}__{labels[source]}": source for part in through for source in way.origin.values()}
    names: Collection[str] = booster.names if booster is not None else ()
    return {place: sources[name] for place, name in enumerate(names) if name in sources}


def _foreign(one: Estimator, depth: int) -> bool:
    """Whether code of others is in a step."""
    if one.kind is None or (one.name == "FunctionTransformer" and one.get("func") is not None):
        return True
    parts: list[Any] = []
    if one.name == "Pipeline":
        parts = [step for _, step in steps(one)]
    elif one.name in ("ColumnTransformer", "FeatureUnion"):
        held = sequence(one.get("transformers_", "transformers", "transformer_list")) or []
        parts = [part[1] for part in held if isinstance(part, list | tuple) and len(part) > 1]
    inside = [found for part in parts if (found := any_instance(part)) is not None]
    return depth < _DEPTH and any(_foreign(part, depth + 1) for part in inside)
