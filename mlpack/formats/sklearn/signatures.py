"""How an estimator is called, in the common vocabulary: its inputs (a matrix, columns or text) and each method's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlpack.artifacts.model import Layout, Scalar, Signature, TensorSpec, UnknownCategories
from mlpack.formats.sklearn.boosters import boosted
from mlpack.formats.sklearn.columns import columns_of, own_function
from mlpack.formats.sklearn.encoders import Column, Missing
from mlpack.formats.sklearn.estimators import Estimator, dates, estimator, sequence
from mlpack.formats.sklearn.features import (
    answers_anything,
    class_labels,
    class_type,
    classes,
    feature_count,
    feature_names,
    heads,
)
from mlpack.formats.sklearn.independence import SINGLE_ROW_ONLY
from mlpack.formats.sklearn.kinds import ENCODERS, LABELS, TEXT, UNSUPPORTED
from mlpack.formats.sklearn.likes import liked
from mlpack.formats.sklearn.methods import before, core, task
from mlpack.formats.sklearn.objects import example_object, takes_objects
from mlpack.formats.sklearn.outputs import outputs_of
from mlpack.formats.sklearn.passed_categories import Passed, passed_categories
from mlpack.readers.counts import MOST_HASHED

UNFITTED = "it was never fitted"
_MOST_LISTED = 200_000  # columns that are looked at one by one


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """A model's inputs. `problem` says why they are unknown, "" when they are known; `advice` is the remedy, if there is one.

    `unused` columns are never read; `assumed` ones have no recorded data type and are treated as numbers; of `guessed` ones,
    texts, a step tells that may not be the first to read them.
    """

    layout: Layout = "matrix"
    specs: tuple[TensorSpec, ...] = ()
    columns: tuple[str, ...] = ()
    categories: dict[str, tuple[Scalar, ...]] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    guessed: tuple[str, ...] = ()
    dates: dict[str, str] = field(default_factory=dict)  # the time zone, "" for none, of each column of dates
    example: dict[str, Any] = field(default_factory=dict)  # a value that the model can take, by column
    objects: bool = False  # rows are flat JSON objects with any keys
    ragged: bool = False  # rows are lists of any length
    problem: str = ""
    advice: str = ""
    categorical: tuple[str, ...] = ()  # columns that the model takes as pandas' categories
    widths: dict[str, str] = field(default_factory=dict)  # numpy's type of whole-number categories, if not int64
    coded: bool = False  # only boosters read them, which take the codes of their categories too
    unknown_categories: UnknownCategories = ""
    not_null: tuple[str, ...] = ()
    missing: dict[str, Missing] = field(default_factory=dict)  # by column, what stood for a missing value in training
    objects_in: tuple[str, ...] = ()  # columns of numbers, booleans or dates that were Python objects in training
    whole_as_text: tuple[str, ...] = ()
    trained: tuple[str, ...] = ()  # all columns of training, where some are unused
    sample_helps: bool = False  # sample rows would define the inputs
    sampled_names: bool = False  # the names come from sample rows: the model was trained without names

    @property
    def named(self) -> bool:
        """Whether the model was trained with the names of its columns."""
        return bool(self.columns) and not self.sampled_names

    def categories_options(self) -> dict[str, Any]:
        """The loader's options for pandas' categories."""
        if not self.categorical:
            return {}
        widths = {"widths": self.widths} if self.widths else {}
        return {"categorical": list(self.categorical), "coded": self.coded, **widths}


def inputs_of(model: Estimator, sampled: tuple[str, ...] = (), rows: Sequence[Any] = ()) -> Inputs:
    """The input tensors of a model, from what its first steps read; `sampled` are the columns of the user's sample `rows`."""
    first = [Estimator(head) for head in heads(model)]
    like = liked(core(model))
    if like is not None and like.problem:
        return Inputs(problem=like.problem, advice=like.advice)
    names_of_first = {one.name for one in first if one.own}
    if first and all(takes_objects(one) for one in first):
        spec = TensorSpec(name="row", dtype="BYTES", shape=(-1,))
        return Inputs(layout="tensors", specs=(spec,), objects=True, example=example_object(first[0]))
    if names_of_first & UNSUPPORTED:
        which = min(names_of_first & UNSUPPORTED)
        return Inputs(
            problem=f"{which} reads rows that are neither a table, texts nor objects, so no input can be declared"
        )
    if first and all(one.own and one.name in TEXT for one in first):
        text = TensorSpec(name="text", dtype="BYTES", shape=(-1,))
        return Inputs(layout="tensors", specs=(text,), not_null=("text",))
    if names_of_first & TEXT:
        return Inputs(problem="it reads text and something else at once, so no input can be declared")
    if core(model).name in LABELS:
        spec = TensorSpec(name="label", dtype=class_type(model), shape=(-1,))
        days = any(dates(one) is not None for one in class_labels(model))
        return Inputs(layout="tensors", specs=(spec,), dates={"label": ""} if days else {})
    if _hides_text(model):
        problem = "a custom function is before the text vectorizer, so its input is unknown"
        return Inputs(problem=problem, sample_helps=True)
    return _table(model, first, sampled, rows)


def _hides_text(model: Estimator) -> bool:
    later = [
        estimator(step[1])
        for step in (sequence(model.get("steps")) or [])
        if isinstance(step, list | tuple) and len(step) > 1
    ]
    return model.name == "Pipeline" and any(one is not None and one.own and one.name in TEXT for one in later)


def never_fitted(one: Estimator) -> bool:
    """Whether fitting left nothing in it: attributes that end with an underscore, a booster."""
    fits = one.own or (one.package in ("xgboost", "lightgbm") and one.get("_Booster", "_handle") is None)
    return fits and not any(name.endswith("_") and not name.startswith("_") for name in one.attributes)


def _table(model: Estimator, first: list[Estimator], sampled: tuple[str, ...], rows: Sequence[Any]) -> Inputs:
    count = feature_count(model)
    names = feature_names(model)
    if count is None:
        if all(map(never_fitted, first)):
            return Inputs(problem=UNFITTED)
        return Inputs(problem="the file does not record the number of columns", sample_helps=True)
    if count > _MOST_LISTED:
        return _wide(count, names, first)
    by_sample = not names and len(sampled) == count
    known = sampled if by_sample else names if len(names) == count else ()
    labels = known or tuple(f"x{place}" for place in range(count))
    columns = [Column(used=False)] * count
    for one in first:
        columns = [a.joined(b) for a, b in zip(columns, _first_columns(model, one, labels), strict=True)]
    passed = passed_categories(model, labels, rows)
    if passed.problem:
        return Inputs(problem=passed.problem, advice=passed.advice, sample_helps=passed.by_sample)
    for place, column in passed.columns.items():
        columns[place] = replace(columns[place].joined(column), whole_as_text=column.whole_as_text)
    told = dict(zip(labels, columns, strict=True))
    if (odd := next((name for name, one in told.items() if one.problem and one.used), None)) is not None:
        return Inputs(problem=f"column {odd!r} {told[odd].problem}")
    mixed = any(one.name == "ColumnTransformer" or one.kind is None or _by_formula(one) for one in first)
    categories = {name: column.categories for name, column in told.items() if column.categories}
    mixed = mixed or (bool(names) and any(map(own_function, first)))
    categorical, unknown = _categorical(first, labels, passed)
    if not mixed and not categorical and all(column.dtype != "BYTES" and not column.objects for column in columns):
        spec = TensorSpec(name="input", dtype="FP64", shape=(-1, count))
        return Inputs(specs=(spec,), columns=known, categories=categories, sampled_names=by_sample)
    # Trained on a DataFrame, a ColumnTransformer looks columns up by name and, since 1.0, never looks up those that it drops.
    by_name = bool(names) and not any(before(one, (1, 0)) for one in first)
    unused = {name for name, column in told.items() if not column.used and by_name}
    specs = tuple(
        TensorSpec(name=name, dtype=column.dtype or "FP64", shape=(-1,))
        for name, column in told.items()
        if name not in unused
    )
    return Inputs(
        layout="columns",
        specs=specs,
        columns=tuple(spec.name for spec in specs),
        categories=categories,
        unused=tuple(name for name in labels if name in unused),
        trained=labels if unused else (),
        categorical=categorical,
        widths={labels[place]: width for place, width in passed.widths.items() if labels[place] in categorical},
        sampled_names=by_sample,
        coded=all(one.package in ("lightgbm", "xgboost") for one in first),
        unknown_categories=unknown,
        not_null=tuple(spec.name for spec in specs if spec.dtype == "BYTES" and not told[spec.name].null),
        whole_as_text=tuple(spec.name for spec in specs if spec.dtype == "BYTES" and told[spec.name].whole_as_text),
        missing={spec.name: mark for spec in specs if (mark := _mark(told[spec.name]))},
        objects_in=tuple(
            spec.name
            for spec in specs
            if told[spec.name].objects and (spec.dtype != "BYTES" or told[spec.name].date is not None)
        ),
        dates={name: column.date for name, column in told.items() if column.date is not None},
        example={name: column.example for name, column in told.items() if column.example is not None},
        assumed=tuple(name for name, column in told.items() if column.used and column.dtype is None),
        guessed=tuple(name for name, column in told.items() if column.used and column.dtype and column.guess),
    )


def _mark(column: Column) -> Missing:
    """What stood for a missing value, where that is not always NaN."""
    return column.missing if column.date is None and (column.dtype == "BYTES" or column.objects) else ""


def _wide(count: int, names: tuple[str, ...], first: list[Estimator]) -> Inputs:
    """The input of a model with so many columns that they are not looked at one by one: numbers, as of hashed text."""
    plain = all(one.own and one.name not in ENCODERS | {"ColumnTransformer"} for one in first)
    if names or not plain or count > MOST_HASHED:
        return Inputs(problem=f"it declares {count} columns, more than can be listed")
    return Inputs(specs=(TensorSpec(name="input", dtype="FP64", shape=(-1, count)),))


def _by_formula(one: Estimator) -> bool:
    like = liked(one)
    return like is not None and bool(like.dtypes)


def _categorical(
    first: list[Estimator], labels: tuple[str, ...], passed: Passed
) -> tuple[tuple[str, ...], UnknownCategories]:
    """The columns that a booster was given as pandas' categories, where the file keeps their values; and its unknown ones."""
    found = [one for head in first if (one := boosted(head)) is not None and one.count == len(labels)]
    places = {place for one in found for place, values in one.categories.items() if values} | passed.pandas
    # of several boosters in an ensemble the strictest decides
    words = {one.unknown for one in found if any(one.categories.values())} | {passed.unknown}
    unknown: UnknownCategories = "refused" if "refused" in words else "missing" if "missing" in words else ""
    return tuple(name for place, name in enumerate(labels) if place in places), unknown


def _first_columns(model: Estimator, one: Estimator, labels: tuple[str, ...]) -> list[Column]:
    """The columns of a first step; after steps of other packages and imputers also those of the next steps."""
    holder = core_pipeline(model)
    step = holder.instance if holder is not None else one.instance
    return columns_of(step, labels)


def core_pipeline(model: Estimator) -> Estimator | None:
    """The pipeline that a model is, seen through searches and other wrappers of one estimator; None when there is none."""
    seen: set[int] = set()
    while model.name != "Pipeline" and id(model.instance) not in seen:
        seen.add(id(model.instance))
        below = model.get("best_estimator_", "estimator_", "regressor_")
        inner_one = estimator(below)
        if inner_one is None:
            return None
        model = inner_one
    return model if model.name == "Pipeline" else None


def signatures_of(
    model: Estimator, methods: tuple[str, ...], inputs: Inputs, *, batchable: bool
) -> tuple[Signature, ...]:
    """One signature for each method, the prediction first; () when the inputs are unknown."""
    if inputs.problem:
        return ()
    classifier = task(model) == "classifier"
    unknown = answers_anything(model)
    found = tuple(
        Signature(
            name=method,
            method=method,
            inputs=inputs.specs,
            outputs=(TensorSpec(name=method, dtype="BYTES", shape=(-1,)),) if unknown else outputs_of(model, method),
            layout=inputs.layout,
            classes=classes(model) if classifier and method in ("predict", "predict_proba") else None,
            columns=inputs.columns,
            categories=inputs.categories,
            assumed=inputs.assumed,
            raw=(
                *((method,) if unknown else ()),
                *(spec.name for spec in inputs.specs if inputs.objects or inputs.ragged),
            ),
            unknown_categories=inputs.unknown_categories,
            trained_columns=inputs.trained,
            not_null=inputs.not_null,
            whole_as_text=inputs.whole_as_text,
            objects=inputs.objects,
            dates=inputs.dates,
            example=inputs.example,
            batchable=batchable,
            batch="one" if core(model).path in SINGLE_ROW_ONLY else "any",
        )
        for method in methods
    )
    return found + tuple(_distances(one) for one in found if one.method == "kneighbors" and not unknown)


def _distances(indices: Signature) -> Signature:
    """The other half of what `kneighbors` answers, under a name of its own."""
    distances = replace(indices.outputs[0], name="distances", dtype="FP64")
    return replace(indices, name="kneighbors_distances", outputs=(distances,))
